/** What a build must keep to, and by how much it does not. Pure. */

/** Null where nothing is asked. */
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

/** Figures of a build, as budgets count them; null where they were not measured. */
export interface Figures {
  readonly drop: number | null;
  readonly p50Us: number | null;
  readonly speedup: number | null;
  readonly sizeRatio: number;
}

/** How far a build is from each budget that it misses, as a share of the budget (of one point for the drop). */
export function misses(
  { drop, p50Us, speedup, sizeRatio }: Figures,
  budgets: Budgets,
): Partial<Record<keyof Budgets, number>> {
  const found: Partial<Record<keyof Budgets, number>> = {};
  if (budgets.maxDrop !== null && drop !== null && drop > budgets.maxDrop) found.maxDrop = drop - budgets.maxDrop;
  if (budgets.latencyUs !== null && (p50Us ?? Number.POSITIVE_INFINITY) > budgets.latencyUs) {
    found.latencyUs = p50Us === null ? Number.POSITIVE_INFINITY : p50Us / budgets.latencyUs - 1;
  }
  if (budgets.speedup !== null && (speedup ?? 0) < budgets.speedup)
    found.speedup = 1 - (speedup ?? 0) / budgets.speedup;
  if (budgets.sizeRatio !== null && sizeRatio < budgets.sizeRatio) found.sizeRatio = 1 - sizeRatio / budgets.sizeRatio;
  return found;
}

/** All that is missed, added up; 0 for a build that keeps to everything. */
export const missedBy = (figures: Figures, budgets: Budgets): number =>
  Object.values(misses(figures, budgets)).reduce((sum, by) => sum + by, 0);
