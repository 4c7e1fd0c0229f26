import { candidateWidths, chooseWidths, uniformWidth, type WidthCurve } from '@espalier/compression/prune/widths';
import t from 'tap';

t.test('widths are multiples that hardware likes, and the whole', async (t) => {
  t.strictSame(candidateWidths(96, 16), [32, 48, 64, 80, 96]);
  t.strictSame(candidateWidths(100, 16), [32, 48, 64, 80, 96, 100]);
  t.strictSame(candidateWidths(8, 16), [8], 'a group narrower than a step stays');
  t.equal(uniformWidth(96, 16, 0.5), 48);
  t.equal(uniformWidth(96, 16, 0.55), 48, 'the nearest');
  t.equal(uniformWidth(96, 16, 7 / 12), 64, 'the wider of two');
  t.equal(uniformWidth(10, 1, 0.5), 5);
});

const curve = (id: string, scale: number, cost = 1): WidthCurve => ({
  ...{ id, widths: [1, 2, 3, 4], errors: [9, 4, 1, 0].map((error) => error * scale) },
  costs: [1, 2, 3, 4].map((width) => width * cost),
});

t.test('the budget takes from the group that suffers least', async (t) => {
  t.strictSame(
    [...chooseWidths([curve('a', 1), curve('b', 10)], 8)!],
    [
      ['a', 4],
      ['b', 4],
    ],
    'all of it fits',
  );
  t.strictSame(
    [...chooseWidths([curve('a', 1), curve('b', 10)], 6)!],
    [
      ['a', 2],
      ['b', 4],
    ],
  );
  t.strictSame(
    [...chooseWidths([curve('a', 1), curve('b', 1, 5)], 12)!],
    [
      ['a', 4],
      ['b', 1],
    ],
    'cost counts as well as error, and what is left of the budget is spent',
  );
  t.equal(chooseWidths([curve('a', 1)], 0.5), null, 'less than the narrowest is not offered');
});
