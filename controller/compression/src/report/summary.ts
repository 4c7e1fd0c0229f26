import type { Report, SearchRecord } from '@espalier/proto';

export interface FrontPoint {
  readonly precision: string;
  readonly drop: number;
  readonly sqnr_db: number;
  readonly speedup: number | null;
  readonly bytes: number;
  readonly floatNodes: readonly string[];
  readonly wideNodes: readonly string[];
  readonly chosen: boolean;
}

/** One build in a line: what `espalier quantize --json` and the model benchmark print. `top1*` in percent. */
export interface Summary {
  readonly model: string;
  readonly profile: string;
  readonly method: Report['method'];
  readonly n: number;
  readonly top1Float: number | null;
  readonly top1: number | null;
  readonly fixed: number | null;
  readonly broken: number | null;
  /** Of the output with the lowest figure. */
  readonly sqnrDb: number | null;
  readonly speedup: number | null;
  readonly sizeRatio: number;
  readonly floatNodes: Report['floatNodes'];
  /** The builds of a search that no other is at least as good as in every respect, on calibration samples. */
  readonly front?: readonly FrontPoint[];
  /** Whether the chosen build keeps to every budget on them. */
  readonly met?: boolean;
  readonly cpuSeconds: number;
  readonly peakRssMb: number;
}

export const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

export function summarize(report: Report): Summary {
  const decibels = report.sqnrDb ? Object.values(report.sqnrDb) : [];
  const percent = (value: number | null): number | null => (value === null ? null : rounded(value, 2));
  return {
    model: report.model,
    profile: report.profile,
    method: report.method,
    n: report.data?.n ?? 0,
    top1Float: percent(report.float.top1),
    top1: percent(report.variant.top1),
    fixed: report.fixed,
    broken: report.broken,
    sqnrDb: decibels.length > 0 ? rounded(Math.min(...decibels), 2) : null,
    speedup: report.speedup === null ? null : rounded(report.speedup, 3),
    sizeRatio: rounded(report.sizeRatio, 3),
    floatNodes: report.floatNodes,
    ...(report.search ? { front: frontOf(report.search), met: report.search.met } : {}),
    cpuSeconds: rounded(report.cpuSeconds, 2),
    peakRssMb: rounded(report.peakRssMb, 1),
  };
}

const frontOf = ({ points }: SearchRecord): FrontPoint[] =>
  points
    .filter(({ isFront, isChosen }) => isFront || isChosen)
    .map(({ precision, drop, sqnrDb, speedup, bytes, floatNodes, wideNodes, isChosen }) => ({
      ...{ precision, drop: rounded(drop, 2), sqnr_db: rounded(sqnrDb, 2) },
      ...{ speedup: speedup === null ? null : rounded(speedup, 3), bytes, floatNodes, wideNodes, chosen: isChosen },
    }));
