/** Where a curve of widths bends. */
import t from 'tap';
import { kneeOf, movingRows } from '../src/charts/table.ts';

const curve = (...us: number[]) => us.map((value, at) => ({ work: us.length - at, us: value }));

t.test('a straight line has no knee, and neither has one that rises', async (t) => {
  t.equal(kneeOf(curve(40, 30, 20, 10)), null);
  t.equal(kneeOf(curve(10, 10, 10)), null);
  t.equal(kneeOf(curve(10, 20, 30)), null);
});

t.test('it is where less begins to be saved', async (t) => {
  t.same(kneeOf(curve(40, 21, 20, 19, 18)), { work: 4, us: 21 });
  const twice = [...curve(40, 21, 20, 19, 18), { work: 4, us: 25 }];
  t.same(kneeOf(twice), { work: 4, us: 23 }, 'widths that round to the same network count once');
});

t.test('rows that no width changes are not shown, the slowest comes first', async (t) => {
  const row = (node: string, us: number, usPerWork: number) => ({
    ...{ node, op: 'Conv', points: curve(us, us / 2), fixedUs: 0, usPerWork, origin: 'measured' as const },
  });
  const key = { profile: 'p', soc: null, runtime: 'r', options: '', powerMode: null, precision: 'int8' as const };
  const rows = [row('fast', 5, 1), row('fixed', 50, 0), row('slow', 20, 1)];
  const table = { version: 1 as const, model: 'm', key, anchorUs: 100, rows };
  t.strictSame(
    movingRows(table).map(({ node }) => node),
    ['slow', 'fast'],
  );
});
