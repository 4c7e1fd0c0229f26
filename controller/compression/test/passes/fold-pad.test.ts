import { cloneGraph } from '@espalier/compression/onnx/codec';
import { foldPad } from '@espalier/compression/passes/fold-pad';
import { runPasses } from '@espalier/compression/passes/index';
import t from 'tap';
import { distance, floats, ints, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

const padded = (parts: Partial<TinyModel> = {}, attributes: Record<string, number[] | string> = {}) =>
  tinyGraph({
    inputs: { x: ['N', 3, 6, 5] },
    outputs: ['y'],
    constants: { w: noise([4, 3, 3, 3], 1), by: ints([0, 0, 1, 2, 0, 0, 0, 1]), one: floats([], [1]) },
    nodes: [
      ['Pad', ['x', 'by'], ['p'], attributes],
      ['Conv', ['p', 'w'], ['y'], { pads: [1, 0, 1, 0], strides: [2, 1] }],
    ],
    ...parts,
  });

t.test('zeros before a convolution become its padding, and the outputs stay', async (t) => {
  const graph = padded();
  const rewritten = cloneGraph(graph);
  t.match(runPasses(rewritten, [foldPad]), [{ applied: 1 }]);
  t.strictSame(operators(rewritten), ['Conv']);
  const x = noise([2, 3, 6, 5], 1);
  const [before, after] = [await run(graph, { x }), await run(rewritten, { x })];
  t.ok(distance(before.y!, after.y!) < 1e-6);
});

const conv = ['Conv', ['p', 'w'], ['y']] as const;
for (const [what, graph, reason] of [
  ['edges repeated', padded({}, { mode: 'edge' }), /mode edge/],
  [
    'ones around the image',
    padded({
      nodes: [
        ['Pad', ['x', 'by', 'one'], ['p']],
        [conv[0], [...conv[1]], [...conv[2]]],
      ],
    }),
    /something else than 0/,
  ],
  ['a padded image that the caller reads too', padded({ outputs: ['y', 'p'] }), /more than one convolution/],
] as const) {
  t.test(`${what}: stays, and says why`, async (t) => {
    t.match(runPasses(graph, [foldPad]), [{ applied: 0, reasons: [reason] }]);
  });
}
