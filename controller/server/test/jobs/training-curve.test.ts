import { withPoint } from '@espalier/server/jobs/training-curve';
import t from 'tap';

t.test('a curve keeps its beginning and its end in few points', (t) => {
  let curve: ReturnType<typeof withPoint> = [];
  for (let at = 0; at <= 5000; at++) curve = withPoint(curve, { share: at / 5000, loss: 5000 - at });
  t.ok(curve.length <= 201, `${curve.length} points`);
  t.equal(curve[0]!.share, 0);
  t.equal(curve.at(-1)!.share, 1);
  const shares = curve.map(({ share }) => share);
  t.same(
    shares,
    [...shares].sort((a, b) => a - b),
    'in order',
  );
  t.end();
});
