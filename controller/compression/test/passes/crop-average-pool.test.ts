import { cloneGraph } from '@espalier/compression/onnx/codec';
import { cropAveragePool } from '@espalier/compression/passes/crop-average-pool';
import { runPasses } from '@espalier/compression/passes/index';
import t from 'tap';
import { distance, noise, operators, run, tinyGraph } from '../support/tiny.ts';

const pooling = (attributes: Record<string, number | number[]>) =>
  tinyGraph({
    inputs: { x: ['N', 3, 25, 5] },
    outputs: ['y'],
    nodes: [['AveragePool', ['x'], ['y'], attributes]],
  });

t.test('one window on a part of the image: the mean of the same elements', async (t) => {
  const graph = pooling({ kernel_shape: [24, 5], strides: [24, 5] });
  const rewritten = cloneGraph(graph);
  t.match(runPasses(rewritten, [cropAveragePool]), [{ applied: 1 }]);
  t.strictSame(operators(rewritten), ['Slice', 'GlobalAveragePool']);
  const x = noise([2, 3, 25, 5], 1);
  const [before, after] = [await run(graph, { x }), await run(rewritten, { x })];
  t.ok(distance(before.y!, after.y!) < 1e-6);
});

for (const [what, attributes, reason] of [
  ['several windows', { kernel_shape: [12, 5], strides: [12, 5] }, /more than one window/],
  ['the whole image', { kernel_shape: [25, 5] }, /covers its image/],
  ['padding', { kernel_shape: [24, 5], pads: [0, 0, 1, 0] }, /it pads/],
] satisfies [string, Record<string, number[]>, RegExp][]) {
  t.test(`${what}: stays, and says why`, async (t) => {
    const graph = pooling(attributes);
    t.match(runPasses(graph, [cropAveragePool]), [{ applied: 0, reasons: [reason] }]);
  });
}
