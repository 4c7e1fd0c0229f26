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
  const sorted = byWork(points);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last || last.us <= first.us || last.work === first.work) return null;
  const depth = ({ work, us }: TablePoint): number =>
    (first.us + ((last.us - first.us) * (work - first.work)) / (last.work - first.work) - us) / (last.us - first.us);
  const deepest = sorted.toSorted((a, b) => depth(b) - depth(a))[0];
  return deepest && depth(deepest) >= BEND_MIN ? deepest : null;
}

/** The points of a row by their work; widths that round to the same network count as one, with their mean. */
export function byWork(points: readonly TablePoint[]): TablePoint[] {
  const groups = [...Map.groupBy(points, ({ work }) => work)];
  return groups
    .map(([work, same]) => ({ work, us: same.reduce((sum, { us }) => sum + us, 0) / same.length }))
    .sort((a, b) => a.work - b.work);
}

/** What each column keeps of the work, taken over all rows: single rows round to widths that hardware likes. */
export function columnShares(rows: readonly TableRow[]): number[] {
  const columns = Math.max(0, ...rows.map(({ points }) => points.length));
  return Array.from({ length: columns }, (_, at) => {
    const shares = rows.flatMap((row) => (row.points[at]?.work ?? Number.NaN) / wholeWork(row)).sort((a, b) => a - b);
    return shares[Math.floor(shares.length / 2)] ?? 1;
  });
}

/** The rows whose time changes with the width, the most expensive first. */
export const movingRows = ({ rows }: LatencyTable): TableRow[] =>
  rows
    .filter(({ usPerWork, points }) => usPerWork > 0 && (points[0]?.us ?? 0) > 0)
    .toSorted((a, b) => (b.points[0]?.us ?? 0) - (a.points[0]?.us ?? 0));

/** Whole work of a row in its widest network: what shares are of. */
export const wholeWork = ({ points }: TableRow): number => Math.max(...points.map(({ work }) => work));
