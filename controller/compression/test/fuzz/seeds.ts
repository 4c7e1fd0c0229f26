/** The models that are mutated: tiny ones that hold every construct, the sample, and the real ones where they are. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { Type } from '@espalier/compression/onnx/tensor';
import { graphAttribute, modelFile, node, tensorAttribute, value, weights, withTwice } from '../support/message.ts';
import { sample } from '../support/sample.ts';
import { floats, ints, noise, tinyGraph } from '../support/tiny.ts';

export interface Seed {
  readonly name: string;
  readonly file: Uint8Array;
}

const real = path.join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'models');
/** Larger files would spend the time on reading and writing them. */
const REAL_BYTES_MAX = 6e6;

const image = { inputs: { x: ['N', 3, 8, 8] }, outputs: ['y'] };
const channel = (seed: number, count = 4) => noise([count], seed);

const network = () =>
  tinyGraph({
    ...image,
    constants: {
      w: noise([4, 3, 3, 3], 1),
      b: channel(2),
      gamma: floats([4], [1, 2, 1, 0.5]),
      beta: channel(3),
      mean: channel(4),
      variance: floats([4], [1, 0.5, 2, 1]),
      v: noise([4, 1, 3, 3], 5),
      m: noise([4, 5], 6),
      c: noise([5], 7),
    },
    nodes: [
      ['Conv', ['x', 'w', 'b'], ['h1'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }],
      ['BatchNormalization', ['h1', 'gamma', 'beta', 'mean', 'variance'], ['h2']],
      ['Relu', ['h2'], ['h3']],
      ['Conv', ['h3', 'v'], ['h4'], { group: 4, pads: [1, 1, 1, 1], strides: [2, 2] }],
      ['MaxPool', ['h4'], ['h5'], { kernel_shape: [2, 2], strides: [2, 2] }],
      ['Identity', ['h5'], ['h6']],
      ['GlobalAveragePool', ['h6'], ['h7']],
      ['Flatten', ['h7'], ['h8']],
      ['Gemm', ['h8', 'm', 'c'], ['y'], { alpha: { float: 2 }, beta: { float: 0.5 } }],
    ],
  });

const old = () =>
  tinyGraph({
    ...image,
    ir: 3,
    opset: 9,
    constants: { w: noise([4, 3, 1, 1], 1) },
    nodes: [
      ['Conv', ['x', 'w'], ['h1']],
      ['Clip', ['h1'], ['h2'], { min: { float: 0 }, max: { float: 6 } }],
      ['ReduceSum', ['h2'], ['h3'], { axes: [2, 3], keepdims: 0 }],
      ['Unsqueeze', ['h3'], ['h4'], { axes: [2] }],
      ['Squeeze', ['h4'], ['y'], { axes: [2] }],
    ],
  });

const branching = () =>
  modelFile({
    input: [value('x', [1, 4])],
    output: [value('y')],
    initializer: weights({ zero: floats([], [0]), w: noise([4, 4], 8) }),
    node: [
      node('MatMul', ['x', 'w'], ['outer']),
      node('Constant', [], ['k'], { attribute: [tensorAttribute('value', noise([1, 4], 9))] }),
      node('ReduceSum', ['x'], ['sum'], { attribute: [{ name: 'keepdims', type: 2, i: 0n }] }),
      node('Greater', ['sum', 'zero'], ['condition']),
      node('If', ['condition'], ['y'], {
        attribute: [
          graphAttribute('then_branch', {
            name: 't',
            output: [value('t')],
            node: [node('Add', ['outer', 'k'], ['t'])],
          }),
          graphAttribute('else_branch', { name: 'e', output: [value('e')], node: [node('Neg', ['outer'], ['e'])] }),
        ],
      }),
    ],
  });

const looping = () =>
  modelFile({
    input: [value('x', [1, 4])],
    output: [value('y')],
    initializer: weights({ trips: ints([3]), go: { type: Type.BOOL, dims: [], bytes: Uint8Array.of(1) } }),
    node: [
      node('Loop', ['trips', 'go', 'x'], ['y'], {
        attribute: [
          graphAttribute('body', {
            name: 'body',
            input: [value('i', [], Type.INT64), value('c', [], Type.BOOL), value('carried')],
            output: [value('c2', [], Type.BOOL), value('next')],
            node: [node('Identity', ['c'], ['c2']), node('Add', ['carried', 'x'], ['next'])],
          }),
        ],
      }),
    ],
  });

const calling = () =>
  modelFile(
    {
      input: [value('x', [1, 4])],
      output: [value('y')],
      sparseInitializer: [
        {
          dims: [4n, 2n],
          values: weights({ w: floats([2], [3, -2]) })[0]!,
          indices: weights({ '': ints([1, 6]) })[0]!,
        },
      ],
      node: [node('Twice', ['x'], ['h'], { domain: 'local' }), node('MatMul', ['h', 'w'], ['y'])],
    },
    withTwice,
  );

/** @param tinyOnly leaves out what is not part of the project */
export function seedModels(tinyOnly: boolean): Seed[] {
  const tiny = {
    network: encodeModel(network()),
    old: encodeModel(old()),
    branching: branching(),
    looping: looping(),
    calling: calling(),
  };
  const files = !tinyOnly && existsSync(real) ? readdirSync(real).map((name) => path.join(real, name)) : [];
  const wanted = files.filter((file) => file.endsWith('.onnx') && statSync(file).size < REAL_BYTES_MAX).sort();
  return [
    ...Object.entries(tiny).map(([name, file]) => ({ name, file })),
    ...[sample.model, ...wanted].map((file) => ({
      name: path.basename(file),
      file: new Uint8Array(readFileSync(file)),
    })),
  ];
}
