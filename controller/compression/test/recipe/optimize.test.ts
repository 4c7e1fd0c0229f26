import { choosePoint, type Point, splitSpec } from '@espalier/compression/recipe/optimize';
import { proposeSmaller } from '@espalier/compression/recipe/propose';
import { sizeShareFor } from '@espalier/compression/recipe/size-share';
import { type Budgets, misses, NO_BUDGETS } from '@espalier/compression/search/budgets';
import t from 'tap';

const point = (recipe: Point['recipe'], drop: number, p50Us: number | null, sizeRatio: number): Point => ({
  ...{ recipe, drop, top1: 90 - drop, p50Us, sizeRatio, speedup: p50Us === null ? null : 100 / p50Us },
});
const points = [point('float', 0, 100, 1), point('int8', 0.2, 50, 3.5), point('pruned-int8', 0.9, 35, 5)];
const budgets = (more: Partial<Budgets>): Budgets => ({ ...NO_BUDGETS, maxDrop: 1, ...more });
const chosen = (more: Partial<Budgets>): [string, boolean] => {
  const { point: found, met } = choosePoint(points, budgets(more));
  return [found.recipe, met];
};

t.test('the budgets decide which build is kept', (t) => {
  t.same(chosen({}), ['pruned-int8', true], 'the fastest within the drop');
  t.same(chosen({ maxDrop: 0.5 }), ['int8', true]);
  t.same(chosen({ maxDrop: 0 }), ['float', true]);
  t.same(chosen({ latencyUs: 60 }), ['int8', true], 'the most accurate that is fast enough');
  t.same(chosen({ sizeRatio: 4 }), ['pruned-int8', true]);
  t.same(chosen({ latencyUs: 30 }), ['pruned-int8', false], 'the nearest');
  t.same(misses(points[2]!, budgets({ latencyUs: 28 })), { latencyUs: 0.25 });
  t.same(chosen({ maxDrop: 0.1, latencyUs: 49 }), ['int8', false], 'by little each');
  t.end();
});

t.test('one SPEC becomes two that share no sample', (t) => {
  t.same(splitSpec('csv:a.csv'), { fit: 'csv:a.csv?not-every=5', judge: 'csv:a.csv?every=5' });
  t.same(splitSpec('cifar10:f?to=10').judge, 'cifar10:f?to=10&every=5');
  t.throws(() => splitSpec('csv:a.csv?every=2'), { code: 'ESP_DATA_SPEC_INVALID' });
  t.end();
});

t.test('a size beyond int8 tells what share of the widths may stay', (t) => {
  const sizes = { floatBytes: 1_100_000, int8Bytes: 310_000, byWidths: 270_000 };
  t.equal(sizeShareFor(null, sizes), null);
  t.equal(sizeShareFor(3, sizes), null, 'int8 alone is small enough');
  const share = sizeShareFor(10, sizes)!;
  t.ok(Math.abs(share - (0.98 * 70_000) / 270_000) < 1e-9, `what is beside them stays: ${share}`);
  t.ok(sizeShareFor(1000, sizes)! > 0, 'never below nothing');
  t.end();
});

t.test('where every build is too slow, smaller members of the family are proposed with their likely latency', (t) => {
  t.same(proposeSmaller({ p50Us: 400, side: 224, latencyUs: 300 }), [
    { kind: 'width', value: 0.75, predictedUs: 225 },
    { kind: 'resolution', value: 192, predictedUs: 400 * (192 / 224) ** 2 },
  ]);
  t.same(
    proposeSmaller({ p50Us: 400, side: null, latencyUs: 110 }).map(({ value }) => value),
    [0.5],
    'no resolution without an image',
  );
  t.same(proposeSmaller({ p50Us: 400, side: 96, latencyUs: 1 }), [], 'nothing is small enough');
  t.end();
});
