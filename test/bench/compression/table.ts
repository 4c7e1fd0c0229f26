import { dropOf } from './bars.ts';
import type { Bar, Line } from './lines.ts';

const HEAD = ['model', 'tool', 'top-1', 'drop', 'fixed/broken', 'SQNR, dB', 'speed', 'size', 'CPU, s', 'peak, MB'];

const cell = (value: number | null, digits: number): string => (value === null ? '-' : value.toFixed(digits));
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Lines as a table in Markdown, in their order. */
export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map((line) => {
    const tool = line.peer ? `${line.peer} ${line.method}` : `**espalier ${line.method}**`;
    if (line.error)
      return row([line.model, tool, `failed: ${line.error.slice(0, 60)}`, ...HEAD.slice(3).map(() => '-')]);
    return row([
      line.model,
      tool,
      `${cell(line.top1Float, 2)} -> ${cell(line.top1, 2)}`,
      cell(dropOf(line), 2),
      `${line.fixed ?? '-'}/${line.broken ?? '-'}`,
      cell(line.sqnrDb, 1),
      cell(line.speedup, 2),
      cell(line.sizeRatio, 2),
      cell(line.cpuSeconds, 1),
      cell(line.peakRssMb, 0),
    ]);
  });
  return [row(HEAD), row(HEAD.map(() => '---')), ...rows].join('\n');
}

/** Figures against their bounds as a table in Markdown. */
export const barsTable = (bars: readonly Bar[]): string =>
  [
    row(['model', 'figure', 'value', 'bar', 'met']),
    row(['---', '---', '---', '---', '---']),
    ...bars.map(({ model, id, value, unit, limit, atLeast, met }) =>
      row([model, id, `${value} ${unit}`, `${atLeast ? '>=' : '<='} ${limit}`, met ? 'yes' : 'no']),
    ),
  ].join('\n');
