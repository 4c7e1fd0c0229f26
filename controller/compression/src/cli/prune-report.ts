import type { Pruned } from '../prune/prune.js';
import type { Comparison } from '../recipe/accuracy.js';
import type { StepTaken } from '../recipe/progressive.js';
import { alignColumns } from './terminal.js';

/** Of a pruning, for `--json`. */
export function summarizePruning(pruned: Pruned, comparison: Comparison | null) {
  const { widths, macsBefore, macsAfter, predictedUs, refitted, frozen } = pruned;
  return {
    ...{ macsBefore, macsAfter, macsShare: macsAfter / macsBefore, predictedUs, refitted: refitted.length },
    ...(comparison && {
      ...{ n: comparison.n, top1Float: comparison.top1Float, top1: comparison.top1 },
      ...{ fixed: comparison.fixed, broken: comparison.broken },
    }),
    ...{ widths, frozen },
  };
}

/** Of a pruning, for people. */
export function describePruning(
  { widths, macsBefore, macsAfter, predictedUs, refitted }: Pruned,
  comparison: Comparison | null,
): string {
  const rows = widths.map(({ group, before, after }) => [group, String(before), String(after)]);
  const millions = (macs: number): string => (macs / 1e6).toFixed(1);
  const percent = ((100 * macsAfter) / macsBefore).toFixed(1);
  const lines = [
    `Multiply-accumulates: ${millions(macsBefore)} M before, ${millions(macsAfter)} M after (${percent}%)`,
    `Refitted: ${refitted.length} layers`,
    ...(predictedUs
      ? [`Latency by the table: ${predictedUs.before.toFixed(0)} us before, ${predictedUs.after.toFixed(0)} us after`]
      : []),
  ];
  if (comparison && comparison.top1 !== null) {
    const { n, top1Float, top1, fixed, broken } = comparison;
    lines.push(`Top-1 of ${n}: ${top1Float}% before, ${top1}% after; ${fixed} fixed, ${broken} broken`);
  }
  return `${alignColumns([['GROUP', 'BEFORE', 'AFTER'], ...rows])}${lines.join('\n')}\n`;
}

const points = (drop: number): string => drop.toFixed(2);

/** A step of a progressive pruning, as one line. */
export const describeStep = ({ removed, settings, remedy, drop, isKept }: StepTaken): string =>
  `${Math.round(100 * removed)} % removed${remedy ? ` (${remedy})` : ''}, ${settings.epochs}x the epochs: ` +
  `${points(drop)} points below, ${isKept ? 'kept' : 'not kept'}\n`;
