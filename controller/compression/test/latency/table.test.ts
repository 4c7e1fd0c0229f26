import { fitLine } from '@espalier/compression/latency/line';
import { rowsOfTimes, worksOf } from '@espalier/compression/latency/plan';
import { LatencyCosts } from '@espalier/compression/latency/table';
import { LatencyTable } from '@espalier/proto';
import t from 'tap';
import { noise, tinyGraph } from '../support/tiny.ts';

/** x [N, 4, 8, 8] through two 1x1 convolutions, the first of `width` channels. */
const network = (width: number) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 4, 8, 8] },
    outputs: ['y'],
    constants: { a: noise([width, 4, 1, 1], 1), b: noise([6, width, 1, 1], 2) },
    nodes: [
      ['Conv', ['x', 'a'], ['h']],
      ['Relu', ['h'], ['r']],
      ['Conv', ['r', 'b'], ['y']],
    ],
  });
  const shapes = new Map([
    ['x', [1, 4, 8, 8]],
    ['h', [1, width, 8, 8]],
    ['r', [1, width, 8, 8]],
    ['y', [1, 6, 8, 8]],
  ]);
  return { graph, shapes };
};

t.test('a line through points, and through points of one work', (t) => {
  const line = fitLine([1, 2, 3].map((work) => ({ work, us: 5 + 2 * work })));
  t.ok(Math.abs(line.fixedUs - 5) < 1e-9 && Math.abs(line.usPerWork - 2) < 1e-9);
  t.same(fitLine([4, 4].map((work, at) => ({ work, us: 6 + at }))), { fixedUs: 6.5, usPerWork: 0 });
  t.equal(fitLine([1, 2].map((work) => ({ work, us: 10 - work }))).usPerWork, 0, 'more work is not faster');
  t.end();
});

interface Measured extends ReturnType<typeof network> {
  readonly times: ReadonlyMap<string, number>;
}

const rowsOf = (networks: readonly Measured[]) =>
  rowsOfTimes(networks.map(({ graph, shapes, times }) => ({ works: worksOf(graph, shapes), times, plainUs: null })));

t.test('a table of three widths says what a fourth costs', (t) => {
  // 1 us and 2 us a thousand multiply-accumulates, and half a microsecond a thousand elements of Relu.
  const timesOf = (width: number) =>
    new Map([
      ['h', 3 + (width * 4 * 64) / 1000],
      ['r', 1 + (0.5 * width * 64) / 1000],
      ['y', 3 + (2 * width * 6 * 64) / 1000],
    ]);
  const rows = rowsOf([16, 12, 8].map((width) => ({ ...network(width), times: timesOf(width) })));
  t.same(
    rows.map(({ node, origin }) => [node, origin]),
    [
      ['h', 'measured'],
      ['r', 'measured'],
      ['y', 'measured'],
    ],
  );
  const key = { profile: 'p', soc: null, runtime: 'r', options: '{}', powerMode: null, precision: 'int8' } as const;
  const table = LatencyTable.parse({ version: 1, model: 'm', key, anchorUs: 100, rows });
  const whole = network(16);
  const costs = new LatencyCosts(table, whole.graph, whole.shapes);
  t.ok(Math.abs(costs.of(whole.graph, whole.shapes) - 100) < 1e-9, 'the whole costs what was measured');
  const fourth = network(5);
  const gone = [...timesOf(16)].reduce((sum, [node, us]) => sum + us - timesOf(5).get(node)!, 0);
  t.ok(Math.abs(costs.of(fourth.graph, fourth.shapes) - (100 - gone)) < 1e-6);
  t.end();
});

t.test('an operator that was not seen at every width has no row', (t) => {
  const rows = rowsOf(
    [16, 8].map((width) => ({
      ...network(width),
      times: new Map(
        width === 16
          ? [
              ['h', 1],
              ['y', 1],
            ]
          : [['h', 1]],
      ),
    })),
  );
  t.same(
    rows.map(({ node }) => node),
    ['h'],
  );
  t.end();
});
