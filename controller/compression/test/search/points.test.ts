import { misses, NO_BUDGETS } from '@espalier/compression/search/budgets';
import { Deadline } from '@espalier/compression/search/deadline';
import { choosePoint, figuresOf, type Point, paretoFront } from '@espalier/compression/search/points';
import { byWorth } from '@espalier/compression/search/rank';
import t from 'tap';

const point = (parts: Partial<Point>): Point => ({
  ...{ precision: 'int8', drop: 0, sqnrDb: 30, speedup: 2, p50Us: 500, bytes: 250, floatNodes: [], load: 0.5 },
  wideNodes: [],
  ...parts,
});
const float = point({ precision: 'float', sqnrDb: 200, speedup: 1, p50Us: 1000, bytes: 1000, load: 1 });
const quick = point({ drop: 2, sqnrDb: 20, speedup: 3, p50Us: 333, load: 1 / 3 });
const middle = point({ drop: 0.5, sqnrDb: 30 });
const worse = point({ drop: 0.6, sqnrDb: 29 });
const all = [float, quick, middle, worse];

t.test('the front holds what no other point is as good as', async (t) => {
  t.strictSame(paretoFront(all), [float, quick, middle]);
  t.strictSame(paretoFront([middle, { ...middle }]), [middle], 'of equals the first');
});

t.test('an accuracy is bought with as little time as possible, a time with as much accuracy', async (t) => {
  const choose = (budgets: object) => choosePoint(all, { ...NO_BUDGETS, ...budgets }, 1000);
  t.strictSame(choose({ maxDrop: 1 }), { point: middle, met: true });
  t.strictSame(choose({ maxDrop: 3 }), { point: quick, met: true });
  t.strictSame(choose({ latencyUs: 500 }), { point: middle, met: true });
  t.strictSame(choose({ speedup: 2.5 }), { point: quick, met: true });
  t.strictSame(choose({ maxDrop: 0.1 }), { point: float, met: true }, 'float loses nothing');
});

t.test('where no point keeps to the budgets, the nearest is taken and the miss is told', async (t) => {
  const budgets = { ...NO_BUDGETS, speedup: 4, maxDrop: 1 };
  const { point: nearest, met } = choosePoint(all, budgets, 1000);
  t.strictSame([nearest, met], [middle, false]);
  t.strictSame(misses(figuresOf(nearest, 1000), budgets), { speedup: 0.5 });
});

t.test('a file slower than float is taken for its size only', async (t) => {
  const slow = point({ speedup: 0.7, load: 1 / 0.7, drop: 0.1 });
  t.equal(choosePoint([float, slow], { ...NO_BUDGETS, maxDrop: 1 }, 1000).point, float);
  t.equal(choosePoint([float, slow], { ...NO_BUDGETS, sizeRatio: 3 }, 1000).point, slow);
});

t.test('nodes come in the order of what they bring for their price; what brings nothing does not come', async (t) => {
  const one = (name: string, gain: number, price: number) => ({
    group: { name, heads: [name], nodes: [name] },
    gain,
    price,
  });
  const ranked = byWorth([
    one('dear', 0.3, 0.3),
    one('cheap', 0.2, 0.01),
    one('useless', -0.1, 0),
    one('free', 0.05, -0.2),
  ]);
  t.strictSame(
    ranked.map(({ group }) => group.name),
    ['free', 'cheap', 'dear'],
  );
});

t.test('a search ends when its time is over, and at once when it is aborted', async (t) => {
  let now = 0;
  const stop = new AbortController();
  const deadline = Deadline.after(1, stop.signal, () => now);
  const half = deadline.part(0.5);
  now = 30_000;
  t.strictSame([deadline.isOver(), half.isOver()], [false, true]);
  now = 60_000;
  t.equal(deadline.isOver(), true);
  stop.abort(new Error('stopped by hand'));
  t.throws(() => deadline.isOver(), /stopped by hand/);
});
