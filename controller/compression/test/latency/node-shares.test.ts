/** Every node of the graph that the runtime made gets its share of the time, whatever the nodes are called. */
import path from 'node:path';
import { nodeShares } from '@espalier/compression/latency/node-shares';
import { cloneGraph, encodeModel, readModel } from '@espalier/compression/onnx/codec';
import { describeNodes } from '@espalier/compression/recipe/nodes';
import { defaultOptions, Session } from '@espalier/compression/runtime/session';
import { Tensor } from 'onnxruntime-node';
import t from 'tap';
import { quantizeTiny } from '../support/quantized.ts';
import { noise, type TinyModel, tinyGraph } from '../support/tiny.ts';

/** A large convolution between small ones. */
const model = {
  inputs: { x: ['N', 3, 32, 32] },
  outputs: ['y'],
  constants: { w: noise([128, 3, 5, 5], 1), big: noise([128, 128, 3, 3], 2, 0.1), last: noise([2, 128, 1, 1], 3) },
  nodes: [
    ['Conv', ['x', 'w'], ['a'], { pads: [2, 2, 2, 2] }],
    ['Conv', ['a', 'big'], ['b'], { pads: [1, 1, 1, 1] }],
    ['GlobalAveragePool', ['b'], ['p']],
    ['Conv', ['p', 'last'], ['y']],
  ],
} satisfies TinyModel;
const net = tinyGraph(model);
const nameless = tinyGraph({ ...model, names: ['', '', '', ''] });
const samples = Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 3, 32, 32], at) }));

async function saved(model: Uint8Array, file: string) {
  await (await Session.open(model, 'tiny', defaultOptions, { optimizedModelFilePath: file })).dispose();
  return readModel(file);
}

for (const kind of ['float', 'int8'] as const) {
  t.test(`${kind}: the shares sum to 1, and the large convolution has most of it`, async (t) => {
    const graph = kind === 'float' ? cloneGraph(nameless) : (await quantizeTiny(net, samples)).graph;
    const optimized = await saved(encodeModel(graph), path.join(t.testdir(), 'saved.onnx'));
    const feeds = { x: new Tensor('float32', new Float32Array(3 * 32 * 32).fill(0.5), [1, 3, 32, 32]) };
    const shares = await nodeShares(optimized, feeds, defaultOptions, 20_000);
    const sum = [...shares.values()].reduce((total, share) => total + share, 0);
    t.ok(Math.abs(sum - 1) < 1e-9, String(sum));
    const { nodes } = describeNodes(optimized, null, shares);
    t.ok(nodes.every(({ share }) => share !== null && share >= 0 && share <= 1));
    const convolutions = nodes.filter(({ op }) => /Conv/.test(op)).map(({ share }) => share ?? 0);
    t.equal(convolutions.length, 3);
    t.ok(convolutions[1]! > 0.5, convolutions.join());
  });
}

t.test('without a measurement there are no shares', async (t) => {
  const { nodes } = describeNodes(net, null);
  t.ok(nodes.every(({ share }) => share === null));
});
