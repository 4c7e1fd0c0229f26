/** A straight line through measured points, by least squares. Pure. */
export interface Point {
  readonly work: number;
  readonly us: number;
}

export interface Line {
  readonly fixedUs: number;
  /** Never below zero: more work is not faster. */
  readonly usPerWork: number;
}

export function fitLine(points: readonly Point[]): Line {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [work, us] = [mean((point) => point.work), mean((point) => point.us)];
  const spread = points.reduce((sum, point) => sum + (point.work - work) ** 2, 0);
  const shared = points.reduce((sum, point) => sum + (point.work - work) * (point.us - us), 0);
  const usPerWork = spread > 0 ? Math.max(0, shared / spread) : 0;
  return { fixedUs: us - usPerWork * work, usPerWork };
}
