import type { TableView } from '@espalier/proto/api';

type LatencyTable = NonNullable<TableView['table']>;
export type TableRow = LatencyTable['rows'][number];
export type TablePoint = TableRow['points'][number];

/** Distance from a straight line, as a share of what the width changes, from which a bend is worth a word. */
const BEND_MIN = 0.15;

/**
 * The width at which a curve bends most: the point farthest below the straight line between the widest and the narrowest
 * [Satopää et al. 2011]. Narrower than it, less is saved for each channel. null for a curve that is nearly straight.
 */
export function kneeOf(points: readonly TablePoint[]): TablePoint | null {
  const sorted = [...points].sort((a, b) => a.work - b.work);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last || last.us <= first.us || last.work === first.work) return null;
  const depth = ({ work, us }: TablePoint): number =>
    (first.us + ((last.us - first.us) * (work - first.work)) / (last.work - first.work) - us) / (last.us - first.us);
  const deepest = sorted.toSorted((a, b) => depth(b) - depth(a))[0];
  return deepest && depth(deepest) >= BEND_MIN ? deepest : null;
}

/** The rows whose time changes with the width, the most expensive first. */
export const movingRows = ({ rows }: LatencyTable): TableRow[] =>
  rows
    .filter(({ usPerWork, points }) => usPerWork > 0 && (points[0]?.us ?? 0) > 0)
    .toSorted((a, b) => (b.points[0]?.us ?? 0) - (a.points[0]?.us ?? 0));

/** Whole work of a row in its widest network: what shares are of. */
export const wholeWork = ({ points }: TableRow): number => Math.max(...points.map(({ work }) => work));
