/** Builds of one model as points between accuracy, speed and size, and the choice among them. */
import { type Budgets, type Figures, missedBy } from './budgets.js';

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
  /** Nodes whose activations have 16 bits where the others have 8. */
  readonly wideNodes: readonly string[];
  /** Time as a share of float's: measured, or where it cannot be, as the profile and the work of the nodes foretell. */
  readonly load: number;
}

/** What is lost is counted in whole samples; SQNR ranks more surely. */
const asWell = (a: Point, b: Point): boolean => a.sqnrDb >= b.sqnrDb && a.load <= b.load && a.bytes <= b.bytes;

/** The points that no other is at least as good as in SQNR, time and size; of equals the first. Pure. */
export const paretoFront = (points: readonly Point[]): Point[] =>
  points.filter(
    (point, at) =>
      !points.some((other, i) => other !== point && asWell(other, point) && (i < at || !asWell(point, other))),
  );

/** A point as budgets count it. */
export const figuresOf = (point: Point, floatBytes: number): Figures => ({
  ...point,
  sizeRatio: floatBytes / point.bytes,
});

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
  const missed = (point: Point): number => missedBy(figuresOf(point, floatBytes), budgets);
  const meeting = allowed.filter((point) => missed(point) === 0);
  const fastest = budgets.maxDrop !== null && budgets.latencyUs === null && budgets.speedup === null;
  const better = (a: Point, b: Point): boolean =>
    fastest ? a.load < b.load : a.sqnrDb > b.sqnrDb || (a.sqnrDb === b.sqnrDb && a.load < b.load);
  if (meeting.length > 0) return { point: meeting.reduce((a, b) => (better(b, a) ? b : a)), met: true };
  return { point: allowed.reduce((a, b) => (missed(b) < missed(a) ? b : a)), met: false };
}
