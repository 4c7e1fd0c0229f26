import type { VariantRow } from '@espalier/proto/api';

/** A build in the plane of latency and accuracy. */
export interface Point {
  readonly row: VariantRow;
  /** Microseconds; lower is better. */
  readonly latencyUs: number;
  /** Percent; higher is better. */
  readonly accuracy: number;
  /** Where the latency is from: devices, a device's trial of it, the latency table, or the proof on the controller's machine. */
  readonly source: 'devices' | 'predicted' | 'proof';
}

/** The best figure there is: what devices measured, else what their table says, else the proof's. */
function latencyOf(row: VariantRow): Pick<Point, 'latencyUs' | 'source'> | null {
  const onDevice = row.measured?.p50Us ?? row.trialUs;
  if (onDevice !== null) return { latencyUs: onDevice, source: 'devices' };
  if (row.predictedUs !== null) return { latencyUs: row.predictedUs, source: 'predicted' };
  return row.proofP50Us === null ? null : { latencyUs: row.proofP50Us, source: 'proof' };
}

/** The ready builds that have both figures. */
export function pointsOf(rows: readonly VariantRow[]): Point[] {
  return rows.flatMap((row) => {
    const latency = latencyOf(row);
    if (row.state !== 'ready' || row.top1 === null || latency === null || latency.latencyUs <= 0) return [];
    return [{ row, accuracy: row.top1, ...latency }];
  });
}

/** At least as good in both figures and better in one. */
const dominates = (a: Point, b: Point): boolean =>
  a.latencyUs <= b.latencyUs && a.accuracy >= b.accuracy && (a.latencyUs < b.latencyUs || a.accuracy > b.accuracy);

/** The points no other point beats in both figures, fastest first. */
export const frontOf = (points: readonly Point[]): Point[] =>
  points.filter((point) => !points.some((other) => dominates(other, point))).sort((a, b) => a.latencyUs - b.latencyUs);

/** The fastest build on the front that keeps the accuracy budget (points below float, null = no limit). */
function fastestOf(points: readonly Point[], maxAccuracyDrop: number | null): Point | null {
  const keeps = ({ row, accuracy }: Point): boolean =>
    row.accuracyOk ??
    (maxAccuracyDrop === null || row.top1Float === null || row.top1Float - accuracy <= maxAccuracyDrop);
  return frontOf(points).find(keeps) ?? null;
}

/**
 * The build of one profile to roll out: the fastest on the front that keeps the accuracy budget. Where no latency is
 * known (the profile does not fit the controller, and no device serves it yet), the smallest that keeps the budget.
 */
export function chosenOf(rows: readonly VariantRow[], maxAccuracyDrop: number | null): VariantRow | null {
  const fastest = fastestOf(pointsOf(rows), maxAccuracyDrop);
  if (fastest) return fastest.row;
  const usable = rows.filter((row) => row.state === 'ready' && row.accuracyOk !== false);
  return usable.toSorted((a, b) => (a.sizeBytes ?? 0) - (b.sizeBytes ?? 0))[0] ?? null;
}
