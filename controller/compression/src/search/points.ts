/** Builds of one model as points between accuracy, speed and size, and the choice among them. */

/** What the nodes of a build compute in. */
export const PRECISIONS = ['int8', 'int8-16', 'w8', 'w4', 'fp16', 'dynamic'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** A build as it was measured on samples kept for choosing. */
export interface Point {
  readonly precision: Precision | 'float';
  /** Points of top-1 lost to float; without labels the percent of samples whose first class differs. */
  readonly drop: number;
  /** Over all outputs. */
  readonly sqnrDb: number;
  /** Float time over the build's in alternating slices of one run; null where this machine is not the profile's. */
  readonly speedup: number | null;
  readonly p50Us: number | null;
  readonly bytes: number;
  /** Nodes that could be quantized and were left in float. */
  readonly floatNodes: readonly string[];
  /** Time as a share of float's: measured, or where it cannot be, as the profile and the work of the nodes foretell. */
  readonly load: number;
}

/** What a build must keep to; null where nothing is asked. */
export interface Budgets {
  /** Points of top-1 that may be lost. */
  readonly maxDrop: number | null;
  readonly latencyUs: number | null;
  /** Float time over the build's, at least. */
  readonly speedup: number | null;
  /** Float bytes over the build's, at least. */
  readonly sizeRatio: number | null;
}

export const NO_BUDGETS: Budgets = { maxDrop: null, latencyUs: null, speedup: null, sizeRatio: null };

/** What is lost is counted in whole samples; SQNR ranks more surely. */
const asWell = (a: Point, b: Point): boolean => a.sqnrDb >= b.sqnrDb && a.load <= b.load && a.bytes <= b.bytes;

/** The points that no other is at least as good as in SQNR, time and size; of equals the first. Pure. */
export const paretoFront = (points: readonly Point[]): Point[] =>
  points.filter(
    (point, at) =>
      !points.some((other, i) => other !== point && asWell(other, point) && (i < at || !asWell(point, other))),
  );

/** How far a point is from each budget that it misses, as a share of the budget (of one point for the drop). Pure. */
export function misses(point: Point, budgets: Budgets, floatBytes: number): Partial<Record<keyof Budgets, number>> {
  const found: Partial<Record<keyof Budgets, number>> = {};
  const { maxDrop, latencyUs, speedup, sizeRatio } = budgets;
  if (maxDrop !== null && point.drop > maxDrop) found.maxDrop = point.drop - maxDrop;
  if (latencyUs !== null && (point.p50Us ?? Number.POSITIVE_INFINITY) > latencyUs) {
    found.latencyUs = point.p50Us === null ? Number.POSITIVE_INFINITY : point.p50Us / latencyUs - 1;
  }
  if (speedup !== null && (point.speedup ?? 0) < speedup) found.speedup = 1 - (point.speedup ?? 0) / speedup;
  if (sizeRatio !== null && floatBytes / point.bytes < sizeRatio) {
    found.sizeRatio = 1 - floatBytes / point.bytes / sizeRatio;
  }
  return found;
}

/** A file slower than float replaces it only where its size was asked for. */
const isAllowed = ({ speedup }: Point, { sizeRatio }: Budgets): boolean =>
  sizeRatio !== null || speedup === null || speedup >= 1;

/**
 * The point to take. Of those that keep to every budget: the fastest where an accuracy is asked for and no time, the
 * most accurate otherwise. Where none does, the one that misses by least. Pure.
 * @param points one of them float's own, which is always allowed
 */
export function choosePoint(
  points: readonly Point[],
  budgets: Budgets,
  floatBytes: number,
): { point: Point; met: boolean } {
  const allowed = points.filter((point) => isAllowed(point, budgets));
  const missed = (point: Point): number =>
    Object.values(misses(point, budgets, floatBytes)).reduce((sum, by) => sum + by, 0);
  const meeting = allowed.filter((point) => missed(point) === 0);
  const fastest = budgets.maxDrop !== null && budgets.latencyUs === null && budgets.speedup === null;
  const better = (a: Point, b: Point): boolean =>
    fastest ? a.load < b.load : a.sqnrDb > b.sqnrDb || (a.sqnrDb === b.sqnrDb && a.load < b.load);
  if (meeting.length > 0) return { point: meeting.reduce((a, b) => (better(b, a) ? b : a)), met: true };
  return { point: allowed.reduce((a, b) => (missed(b) < missed(a) ? b : a)), met: false };
}
