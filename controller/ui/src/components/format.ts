import { common } from '../strings/common';

const number = (digits: number) => new Intl.NumberFormat(undefined, { maximumFractionDigits: digits });
const significant = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

export type Maybe = number | null | undefined;
/** Unknown is a dash everywhere, never a zero. */
const or = (value: Maybe, write: (known: number) => string): string =>
  value === null || value === undefined ? common.none : write(value);

/** A whole number, grouped as the reader’s language does. */
export const formatCount = (value: Maybe): string => or(value, number(0).format);
/** Microseconds, as milliseconds from 1 ms on. */
export const formatUs = (us: Maybe): string =>
  or(us, (known) => (known < 1000 ? `${number(0).format(known)} µs` : `${significant.format(known / 1000)} ms`));
/** 0..100 */
export const formatPercent = (percent: Maybe, digits = 1): string =>
  or(percent, (known) => `${number(digits).format(known)} %`);
/** Points of a percentage: a difference of accuracies. */
export const formatPoints = (points: Maybe): string => or(points, (known) => `${number(2).format(known)} points`);
/** 0..1 */
export const formatShare = (share: Maybe): string => or(share, (known) => `${number(0).format(known * 100)} %`);
/** A factor: 2.15×. */
export const formatRatio = (ratio: Maybe): string => or(ratio, (known) => `${number(2).format(known)}×`);
/** Decimal units, three digits: 14.2 MB. */
export const formatBytes = (bytes: Maybe): string =>
  or(bytes, (known) => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    const power = known < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(known) / 3));
    return `${significant.format(known / 1000 ** power)} ${units[power]}`;
  });
/** A signed difference, with a true minus. */
export const formatDelta = (value: Maybe, unit: string, digits = 2): string =>
  or(value, (known) => `${known > 0 ? '+' : known < 0 ? '−' : '±'}${number(digits).format(Math.abs(known))}${unit}`);
/** A duration in the unit one would say it in. */
export const formatSeconds = (seconds: Maybe): string =>
  or(seconds, (known) => {
    if (known < 90) return `${number(0).format(known)} s`;
    return known < 5400 ? `${number(0).format(known / 60)} min` : `${number(1).format(known / 3600)} h`;
  });

/** "in 5 minutes", "3 days ago". */
export function formatRelative(iso: string, nowMs: number): string {
  const seconds = (Date.parse(iso) - nowMs) / 1000;
  const steps = [
    [60, 'second', 1],
    [3600, 'minute', 60],
    [86_400, 'hour', 3600],
    [Number.POSITIVE_INFINITY, 'day', 86_400],
  ] as const;
  const [, unit, size] = steps.find(([limit]) => Math.abs(seconds) < limit) ?? steps[3];
  return relative.format(Math.round(seconds / size), unit);
}

/** Time of day in the viewer’s zone. */
export const formatClock = (ms: number): string => clock.format(ms);
/** Date, time and zone; for hover texts. */
export const formatExact = (iso: string): string => exact.format(Date.parse(iso));
/** The first characters of a digest, enough to tell two apart by eye. */
export const shortDigest = (digest: string): string => digest.replace(/^sha256:/, '').slice(0, 12);
