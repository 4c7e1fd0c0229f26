import type { DetectionComparison } from '../detection/compare.js';
import { percent, times } from '../report/format.js';
import { alignColumns } from './terminal.js';

/** What `espalier evaluate` found. */
interface Result {
  readonly model: string;
  readonly against: string | null;
  readonly n: number;
  readonly top1: number | null;
  readonly top1Float: number | null;
  readonly fixed: number | null;
  readonly broken: number | null;
  readonly agreement: number | null;
  readonly detection: Partial<DetectionComparison> | null;
  readonly p50Us: number | null;
  readonly speedup: number | null;
  /** What speaks against the way the data is read. */
  readonly notes: readonly string[];
}

const share = (value: number | null | undefined): string => (value == null ? 'no annotations' : value.toFixed(4));

/** What a detector comes to, a row a figure. */
function detectionRows(
  { float, variant, agreement }: Partial<DetectionComparison>,
  against: string | null,
): string[][] {
  const rows = [
    ['mAP@[.5:.95]', share(variant?.ap)],
    ['mAP@.5', share(variant?.ap50)],
  ];
  if (against === null || !agreement) return rows;
  return [
    ...rows,
    [`mAP@[.5:.95] of ${against}`, share(float?.ap)],
    ['Boxes selected', `${agreement.boxes}, ${agreement.boxesFloat} by ${against}`],
    ['Agreement', `${percent(agreement.percent)}, mean IoU ${agreement.meanOverlap?.toFixed(3) ?? '-'}`],
  ];
}

/** The result for people. */
export function describeEvaluation(result: Result): string {
  const { against, detection } = result;
  const rows = [
    ['Samples', String(result.n)],
    ...(detection ? detectionRows(detection, against) : [['Top-1', percent(result.top1)]]),
    ['Latency p50', `${result.p50Us} µs`],
  ];
  if (against && !detection) {
    rows.push([`Top-1 of ${against}`, percent(result.top1Float)]);
    rows.push(['Fixed, broken', `${result.fixed ?? '-'}, ${result.broken ?? '-'}`]);
    rows.push(['Agreement', percent(result.agreement)]);
  }
  if (against) rows.push(['Speed', times(result.speedup)]);
  return `${result.model}\n${alignColumns(rows)}${result.notes.map((note) => `${note}\n`).join('')}`;
}
