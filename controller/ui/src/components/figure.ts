import { formatBytes, formatCount, formatPercent, formatPoints, formatRatio, formatSeconds, formatUs } from './format';

type Format = (value: number | null) => string;

/** The house puts a figure's unit last in its name; so the name tells how to write the value. */
const units: readonly (readonly [RegExp, Format])[] = [
  [/Us$/, formatUs],
  [/Ms$/, (value) => formatUs(value === null ? null : value * 1000)],
  [/Bytes$/, formatBytes],
  [/Seconds$/, formatSeconds],
  [/Percent$|^top1/, formatPercent],
  [/Points$|Drop$/, formatPoints],
  [/Ratio$|[sS]peedup$/, formatRatio],
];

/** `p95Us: 1234` as `['p95', '1.23 ms']`. */
export function formatFigure(name: string, value: number | null): readonly [string, string] {
  const found = units.find(([pattern]) => pattern.test(name));
  const bare = name.replace(/(Us|Ms|Bytes|Seconds|Percent|Points)$/, '');
  const words = bare.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return [words, (found?.[1] ?? formatCount)(value)];
}
