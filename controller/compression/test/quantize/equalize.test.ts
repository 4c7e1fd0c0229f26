/** Cross-layer equalization: which values scale together, and that the model computes the same afterwards. */
import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { floatsOf } from '@espalier/compression/onnx/tensor';
import { equalizeBase } from '@espalier/compression/quantize/base';
import { observeChannels } from '@espalier/compression/quantize/calibrate';
import { channelSpaces } from '@espalier/compression/quantize/channel-spaces';
import { observeMoments } from '@espalier/compression/quantize/moments';
import t from 'tap';
import { batchesOf } from '../support/quantized.ts';
import { distance, floats, noise, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

/** Filters whose output channels differ up to 64 times in size. */
const uneven = (dims: [number, number, number, number], seed: number) => {
  const tensor = noise(dims, seed);
  const block = dims[1] * dims[2] * dims[3];
  return floats(
    dims,
    floatsOf(tensor)!.map((value, at) => value / 2 ** (Math.floor(at / block) % 7)),
  );
};
const samples = Array.from({ length: 6 }, (_, at) => ({ x: noise([1, 4, 6, 6], 50 + at) }));

const chain = (activation: 'Relu' | 'Clip'): TinyModel => ({
  inputs: { x: ['N', 4, 6, 6] },
  outputs: ['y'],
  constants: {
    w1: uneven([8, 4, 1, 1], 1),
    b1: floats([8], new Array(8).fill(0.05)),
    w2: uneven([8, 1, 3, 3], 3),
    w3: noise([5, 8, 1, 1], 4),
    low: floats([], [0]),
    high: floats([], [6]),
  },
  nodes: [
    ['Conv', ['x', 'w1', 'b1'], ['c1']],
    activation === 'Relu' ? ['Relu', ['c1'], ['r1']] : ['Clip', ['c1', 'low', 'high'], ['r1']],
    ['Conv', ['r1', 'w2'], ['c2'], { group: 8, pads: [1, 1, 1, 1] }],
    activation === 'Relu' ? ['Relu', ['c2'], ['r2']] : ['Clip', ['c2', 'low', 'high'], ['r2']],
    ['Conv', ['r2', 'w3'], ['y']],
  ],
});

const residual: TinyModel = {
  inputs: { x: ['N', 4, 6, 6] },
  outputs: ['y'],
  constants: { w1: uneven([8, 4, 1, 1], 1), w2: uneven([8, 8, 3, 3], 2), w3: noise([5, 8, 1, 1], 3) },
  nodes: [
    ['Conv', ['x', 'w1'], ['a']],
    ['Conv', ['a', 'w2'], ['b'], { pads: [1, 1, 1, 1] }],
    ['Add', ['a', 'b'], ['s']],
    ['MaxPool', ['s'], ['m'], { kernel_shape: [2, 2], strides: [2, 2] }],
    ['Conv', ['m', 'w3'], ['y']],
  ],
};

async function baseOf(graph: Graph) {
  const convs = graph.nodes.filter(({ opType }) => opType === 'Conv');
  // What an activation absorbs has no range of its own.
  const values = graph.nodes.flatMap(({ outputs }) => outputs).filter((value) => !/^c\d/.test(value));
  return {
    graph,
    figures: await observeChannels(graph, ['x', ...values], batchesOf(samples)),
    moments: await observeMoments(graph, convs, batchesOf(samples)),
  };
}

for (const [name, model] of [
  ['Conv, Relu, depthwise, Relu, Conv', chain('Relu')],
  ['Conv, Clip to 6, depthwise, Clip to 6, Conv', chain('Clip')],
  ['a residual stream through Add and MaxPool', residual],
] as const) {
  t.test(`${name}: channels come closer in range, and the outputs stay equal`, async (t) => {
    const base = await baseOf(tinyGraph(model));
    const equalized = equalizeBase(base)!;
    for (const sample of samples) {
      const [before, after] = [await run(base.graph, sample), await run(equalized.graph, sample)];
      t.ok(distance(before.y!, after.y!) < 1e-4 * Math.max(...before.y!.map(Math.abs)), 'same outputs');
    }
    const seen = await baseOf(cloneGraph(equalized.graph));
    for (const [value, { max }] of seen.figures) {
      t.ok(distance(Float32Array.from(max), Float32Array.from(equalized.figures.get(value)!.max)) < 1e-3, value);
    }
    for (const [node, { mean, covariance }] of seen.moments) {
      const scaled = equalized.moments.get(node)!;
      t.ok(distance(Float32Array.from(mean), Float32Array.from(scaled.mean)) < 1e-3, `${node} mean`);
      t.ok(distance(covariance(0), scaled.covariance(0)) < 1e-2, `${node} covariance`);
    }
    const evenness = ({ max, min }: { max: Float64Array; min: Float64Array }): number => {
      const ranges = [...max].map((high, c) => Math.max(high, -min[c]!, 1e-9));
      return Math.max(...ranges) / Math.min(...ranges);
    };
    const inner = model.nodes[1]![2][0]!;
    t.ok(evenness(seen.figures.get(inner)!) < evenness(base.figures.get(inner)!), 'ranges closer');
  });
}

t.test('a value that is returned, or meets an operator that is not scaled through, belongs to no space', async (t) => {
  const constants = { w: noise([4, 4, 1, 1], 1) };
  const input = { x: ['N', 4, 6, 6] as (number | string)[] };
  const sigmoid: TinyModel = {
    inputs: input,
    outputs: ['y'],
    constants,
    nodes: [
      ['Conv', ['x', 'w'], ['a']],
      ['Sigmoid', ['a'], ['b']],
      ['Conv', ['b', 'w'], ['y']],
    ],
  };
  t.strictSame(channelSpaces(tinyGraph(sigmoid)), []);
  const returned: TinyModel = {
    inputs: input,
    outputs: ['a', 'y'],
    constants,
    nodes: [
      ['Conv', ['x', 'w'], ['a']],
      ['Conv', ['a', 'w'], ['y']],
    ],
  };
  t.strictSame(channelSpaces(tinyGraph(returned)), []);
});
