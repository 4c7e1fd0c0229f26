/** Which builds are on the front, and which one a rollout brings. */
import t from 'tap';
import { chosenOf, frontOf, pointsOf } from '../src/charts/pareto.ts';
import { variantRow } from './support/variant-row.ts';

const ids = (points: ReturnType<typeof pointsOf>) => points.map(({ row }) => row.id);
const measured = (p50Us: number) => ({
  p50Us,
  p95Us: null,
  p99Us: null,
  n: 100,
  devices: 1,
  class: 'clean' as const,
  measuredAt: '2026-01-01T00:00:00.000Z',
});

const float = variantRow({ id: 'float', method: 'float', top1: 91, proofP50Us: 300, sizeBytes: 4000 });
const int8 = variantRow({ id: 'int8', top1: 90.5, proofP50Us: 100 });
const worse = variantRow({ id: 'worse', top1: 90, proofP50Us: 200 });
const poor = variantRow({ id: 'poor', top1: 80, proofP50Us: 50, accuracyOk: false });

t.test('a point that another beats in both figures is not on the front; the fastest comes first', async (t) => {
  t.strictSame(ids(frontOf(pointsOf([float, worse, int8]))), ['int8', 'float']);
});

t.test('two equal points are both on the front', async (t) => {
  t.strictSame(ids(frontOf(pointsOf([int8, { ...int8, id: 'twin' }]))), ['int8', 'twin']);
});

t.test('a build without accuracy, without latency or not ready is no point', async (t) => {
  const rows = [{ ...int8, top1: null }, { ...int8, proofP50Us: null }, variantRow({ state: 'building' })];
  t.strictSame(pointsOf(rows), []);
});

t.test('what devices measured wins over the proof', async (t) => {
  const [point] = pointsOf([{ ...int8, measured: measured(140) }]);
  t.equal(point?.latencyUs, 140);
  t.equal(point?.source, 'devices');
});

t.test('then a trial on a device, then the table, then the proof', async (t) => {
  const of = (change: object) => pointsOf([{ ...int8, ...change }]).map(({ latencyUs, source }) => [source, latencyUs]);
  t.strictSame(of({ predictedUs: 120, trialUs: 130 }), [['devices', 130]]);
  t.strictSame(of({ predictedUs: 120 }), [['predicted', 120]]);
  t.strictSame(of({}), [['proof', 100]]);
});

t.test('the fastest build that keeps the accuracy budget is chosen, not the fastest', async (t) => {
  t.equal(chosenOf([float, int8, poor], 1)?.id, 'int8');
});

t.test('without a verdict of the server the drop from float decides', async (t) => {
  const rows = [float, int8].map((row) => ({ ...row, accuracyOk: null }));
  t.equal(chosenOf(rows, 1)?.id, 'int8');
  t.equal(chosenOf(rows, 0.2)?.id, 'float');
});

t.test('where nothing is timed, the smallest usable build is chosen; where nothing is ready, none', async (t) => {
  const rows = [float, int8, poor].map((row) => ({ ...row, proofP50Us: null }));
  t.equal(chosenOf(rows, 1)?.id, 'int8');
  t.equal(chosenOf([variantRow({ state: 'failed' })], 1), null);
});
