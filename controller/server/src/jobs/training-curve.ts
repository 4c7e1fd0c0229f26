/** The loss of a training as a job keeps it: few enough points to send, over the whole of it. */
import type { CurvePoint } from '@espalier/proto/api';

const POINTS_MAX = 200;

/** The curve with one more point; when it is full, every second point goes. Pure. */
export function withPoint(curve: readonly CurvePoint[], point: CurvePoint): CurvePoint[] {
  const kept = curve.length < POINTS_MAX ? curve : curve.filter((_, at) => at % 2 === 0);
  return [...kept, point];
}
