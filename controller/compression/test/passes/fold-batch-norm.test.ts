/** Each case: how many norms are folded, that the outputs stay equal, and why not where not. */

import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Tensor } from '@espalier/compression/onnx/tensor';
import { foldBatchNorm } from '@espalier/compression/passes/fold-batch-norm';
import { runPasses } from '@espalier/compression/passes/pass';
import t from 'tap';
import { distance, floats, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

/** gamma, beta, mean and a positive variance for a number of channels. */
const norm = (channels: number): Record<string, Tensor> => ({
  gamma: noise([channels], 11),
  beta: noise([channels], 12),
  mean: noise([channels], 13),
  variance: floats(
    [channels],
    Array.from({ length: channels }, (_, at) => 0.3 + at * 0.4),
  ),
});
const NORM = ['gamma', 'beta', 'mean', 'variance'];
const image = { inputs: { x: ['N', 4, 6, 6] as (number | string)[] }, outputs: ['y'] };

for (const [name, model, input] of [
  [
    'Conv without a bias',
    {
      ...image,
      constants: { w: noise([5, 4, 3, 3], 1), ...norm(5) },
      nodes: [
        ['Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] }],
        ['BatchNormalization', ['c', ...NORM], ['y']],
      ],
    },
    noise([2, 4, 6, 6], 9),
  ],
  [
    'a depthwise Conv with a bias',
    {
      ...image,
      constants: { w: noise([4, 1, 3, 3], 1), b: noise([4], 2), ...norm(4) },
      nodes: [
        ['Conv', ['x', 'w', 'b'], ['c'], { group: 4 }],
        ['BatchNormalization', ['c', ...NORM], ['y'], { epsilon: { float: 0.01 } }],
      ],
    },
    noise([1, 4, 6, 6], 9),
  ],
  [
    'ConvTranspose of two groups',
    {
      ...image,
      constants: { w: noise([4, 3, 2, 2], 1), b: noise([6], 2), ...norm(6) },
      nodes: [
        ['ConvTranspose', ['x', 'w', 'b'], ['c'], { group: 2, strides: [2, 2] }],
        ['BatchNormalization', ['c', ...NORM], ['y']],
      ],
    },
    noise([1, 4, 6, 6], 9),
  ],
  [
    'Gemm with transB and a scalar C',
    {
      inputs: { x: ['N', 4] },
      outputs: ['y'],
      constants: { w: noise([3, 4], 1), b: floats([1], [0.7]), ...norm(3) },
      nodes: [
        ['Gemm', ['x', 'w', 'b'], ['c'], { transB: 1 }],
        ['BatchNormalization', ['c', ...NORM], ['y']],
      ],
    },
    noise([2, 4], 9),
  ],
] as [string, TinyModel, Tensor][]) {
  t.test(`${name} takes the norm in, and computes the same`, async (t) => {
    const before = tinyGraph(model);
    const after = cloneGraph(before);
    const [record] = runPasses(after, [foldBatchNorm]);
    t.equal(record!.applied, 1);
    t.notOk(operators(after).includes('BatchNormalization'));
    t.ok(distance((await run(before, { x: input })).y!, (await run(after, { x: input })).y!) < 1e-4);
  });
}

for (const [name, model, reason] of [
  [
    'a Conv output that another node reads too',
    {
      ...image,
      outputs: ['y', 'r'],
      constants: { w: noise([4, 4, 1, 1], 1), ...norm(4) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['BatchNormalization', ['c', ...NORM], ['y']],
        ['Relu', ['c'], ['r']],
      ],
    },
    /feeds other nodes/,
  ],
  [
    'a norm in front of a padded Conv',
    {
      ...image,
      constants: { w: noise([4, 4, 3, 3], 1), ...norm(4) },
      nodes: [
        ['BatchNormalization', ['x', ...NORM], ['b']],
        ['Conv', ['b', 'w'], ['y'], { pads: [1, 1, 1, 1] }],
      ],
    },
    /a graph input, not/,
  ],
  [
    'a norm behind a Concat',
    {
      ...image,
      constants: { w: noise([2, 4, 1, 1], 1), ...norm(4) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['Concat', ['c', 'c'], ['k'], { axis: 1 }],
        ['BatchNormalization', ['k', ...NORM], ['y']],
      ],
    },
    /comes from Concat/,
  ],
  [
    'weights that are fed',
    {
      inputs: { x: ['N', 4, 6, 6], w: [4, 4, 1, 1] },
      outputs: ['y'],
      constants: norm(4),
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['BatchNormalization', ['c', ...NORM], ['y']],
      ],
    },
    /w is not a float constant/,
  ],
] as [string, TinyModel, RegExp][]) {
  t.test(`${name} is left alone, and the reason given`, async (t) => {
    const graph = tinyGraph(model);
    const [record] = runPasses(graph, [foldBatchNorm]);
    t.equal(record!.applied, 0);
    t.match(record!.reasons[0], reason);
  });
}

t.test('two norms behind Convs that share a weight each get their own', async (t) => {
  const before = tinyGraph({
    ...image,
    constants: { w: noise([4, 4, 1, 1], 1), ...norm(4), gamma2: noise([4], 21) },
    nodes: [
      ['Conv', ['x', 'w'], ['c1']],
      ['BatchNormalization', ['c1', ...NORM], ['n1']],
      ['Conv', ['n1', 'w'], ['c2']],
      ['BatchNormalization', ['c2', 'gamma2', ...NORM.slice(1)], ['y']],
    ],
  });
  const after = cloneGraph(before);
  t.equal(runPasses(after, [foldBatchNorm])[0]!.applied, 2);
  const x = noise([1, 4, 6, 6], 9);
  t.ok(distance((await run(before, { x })).y!, (await run(after, { x })).y!) < 1e-4);
});
