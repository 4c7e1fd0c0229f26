import type { Report } from '@espalier/proto';

/** The last line of `--sample --once --json` (docs/operations.md); checks outside this project read it. */
export interface SampleResult {
  readonly ok: boolean;
  readonly seconds: number;
  readonly float: { readonly top1: number; readonly p50Us: number };
  readonly variant: {
    readonly profile: string;
    readonly top1: number;
    readonly n: number;
    readonly fixed: number;
    readonly broken: number;
    readonly p50Us: number;
    readonly sizeRatio: number;
    readonly floatNodes: Report['floatNodes'];
  } | null;
  readonly rollout: string;
  readonly served: number;
  readonly decisions: readonly { readonly reason: string; readonly action: string }[];
}

export const SPEEDUP_WANTED = 1.2;
export const DROP_ALLOWED = 1;

export interface Measured {
  readonly report: Report;
  /** On the device, microseconds. */
  readonly p50Us: number;
}

/** Puts the result together and judges it: int8 at least 1.2x faster on the device at no more than a point. Pure. */
export function judge(
  float: Measured,
  variant: Measured | null,
  rest: Pick<SampleResult, 'seconds' | 'rollout' | 'served' | 'decisions'>,
): SampleResult {
  const top1 = float.report.variant.top1 ?? 0;
  const line = { ...rest, float: { top1, p50Us: float.p50Us } };
  if (!variant) return { ok: false, ...line, variant: null };
  const { report, p50Us } = variant;
  const found = report.variant.top1 ?? 0;
  const ok =
    report.method === 'int8' &&
    rest.rollout === 'FINISHED' &&
    float.p50Us / p50Us >= SPEEDUP_WANTED &&
    top1 - found <= DROP_ALLOWED;
  return {
    ok,
    ...line,
    variant: {
      ...{
        profile: report.profile,
        top1: found,
        n: report.data?.n ?? 0,
        fixed: report.fixed ?? 0,
        broken: report.broken ?? 0,
      },
      ...{ p50Us, sizeRatio: report.sizeRatio, floatNodes: report.floatNodes },
    },
  };
}

/** The same for people: float beside int8. */
export function table({ float, variant, rollout, served, decisions }: SampleResult): string {
  const row = (...cells: string[]): string =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(12) : cell.padStart(14))).join('');
  const lines = [row('', 'float', 'int8', '')];
  const percent = (value: number | undefined): string => (value === undefined ? '-' : `${value.toFixed(2)} %`);
  const us = (value: number | undefined): string => (value === undefined ? '-' : `${value} us`);
  lines.push(
    row(
      'top-1',
      percent(float.top1),
      percent(variant?.top1),
      variant ? `${variant.fixed} fixed, ${variant.broken} broken of ${variant.n}` : '',
    ),
  );
  lines.push(
    row(
      'p50',
      us(float.p50Us),
      us(variant?.p50Us),
      variant ? `${(float.p50Us / variant.p50Us).toFixed(2)}x, on the device` : '',
    ),
  );
  lines.push(row('size', '1', variant ? `1/${variant.sizeRatio.toFixed(2)}` : '-', ''));
  const story = decisions.map(({ action, reason }) => `  ${action}: ${reason}`);
  return [
    ...lines,
    '',
    `The rollout is ${rollout}; the device answered ${served} requests. What the closed loop decided:`,
    ...story,
  ].join('\n');
}
