/** Whole graphs through calibration and insertion, judged by what ONNX Runtime computes from the result. */

import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { floatsOf, numbersOf } from '@espalier/compression/onnx/tensor';
import { placeQuantizers } from '@espalier/compression/quantize/place';
import t from 'tap';
import { decibels, quantizeTiny } from '../support/quantized.ts';
import { floats, ints, noise, operators, tinyGraph } from '../support/tiny.ts';

const profile = profileById('x64-avx512-vnni', await loadProfiles());
const image = { inputs: { x: ['N', 4, 8, 8] as (number | string)[] }, outputs: ['y'] };
const images = (scale = 1) => Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 4, 8, 8], 100 + at, scale) }));

t.test('Conv, Relu, Conv: the Relu is absorbed, and the first range starts at its zero', async (t) => {
  const graph = tinyGraph({
    ...image,
    constants: { w1: noise([8, 4, 3, 3], 1), b1: noise([8], 2), w2: noise([4, 8, 1, 1], 3) },
    nodes: [
      ['Conv', ['x', 'w1', 'b1'], ['c']],
      ['Relu', ['c'], ['r']],
      ['Conv', ['r', 'w2'], ['y']],
    ],
  });
  const { graph: int8 } = await quantizeTiny(graph, images());
  t.notOk(operators(int8).includes('Relu'));
  const quantizer = int8.producer(int8.producer('r')!.inputs[0]!)!;
  t.strictSame(numbersOf(int8.constantOf(quantizer, 2)!), [0]);
  t.ok((await decibels(graph, int8, images())).y! > 30);
});

t.test('a Clip to 6 is absorbed, and nothing above 6 comes out', async (t) => {
  const graph = tinyGraph({
    ...image,
    constants: { w: noise([8, 4, 1, 1], 1, 4), low: floats([], [0]), high: floats([], [6]) },
    nodes: [
      ['Conv', ['x', 'w'], ['c']],
      ['Clip', ['c', 'low', 'high'], ['y']],
    ],
  });
  const { graph: int8 } = await quantizeTiny(graph, images());
  t.notOk(operators(int8).includes('Clip'));
  t.ok((await decibels(graph, int8, images())).y! > 25);
});

t.test('a weight and bias shared by two Convs: each use has its own scales, and taken names are kept', async (t) => {
  const graph = tinyGraph({
    ...image,
    outputs: ['y', 'z'],
    constants: { b0: noise([4], 2), w: noise([4, 4, 3, 3], 1), small: floats([], [0.02]), w_scale: floats([], [1]) },
    nodes: [
      ['Conv', ['x', 'w', 'b0'], ['y']],
      ['Mul', ['x', 'small'], ['x_quantized']],
      ['Mul', ['x_quantized', 'w_scale'], ['x/int8']],
      ['Conv', ['x/int8', 'w', 'b0'], ['z']],
    ],
  });
  const { graph: int8 } = await quantizeTiny(graph, images());
  const found = await decibels(graph, int8, images());
  t.ok(found.y! > 30, `first use ${found.y}`);
  t.ok(found.z! > 30, `second use ${found.z}`);
});

for (const [name, c, attributes] of [
  ['alpha, beta and a row C', noise([1, 5], 2), { alpha: { float: 0.5 }, beta: { float: 2 } }],
  ['beta and a scalar C', floats([], [0.8]), { beta: { float: 3 } }],
  ['no C', null, { alpha: { float: 2 } }],
  ['transB and a vector C', noise([5], 2), { transB: 1 }],
] as const) {
  t.test(`Gemm with ${name} keeps 25 dB, with the runtime's optimizations on and off`, async (t) => {
    const weights = 'transB' in attributes ? noise([5, 12], 1) : noise([12, 5], 1);
    const graph = tinyGraph({
      inputs: { x: ['N', 12] },
      outputs: ['y'],
      constants: { w: weights, ...(c ? { c } : {}) },
      nodes: [['Gemm', c ? ['x', 'w', 'c'] : ['x', 'w'], ['y'], attributes]],
    });
    const samples = Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 12], 50 + at) }));
    const { graph: int8 } = await quantizeTiny(graph, samples);
    t.ok((await decibels(graph, int8, samples, 'all')).y! > 25);
    t.ok((await decibels(graph, int8, samples, 'disabled')).y! > 25);
  });
}

t.test('boxes and scores joined by a Concat: the scores survive', async (t) => {
  const graph = tinyGraph({
    inputs: image.inputs,
    outputs: ['y', 'scores'],
    constants: { w: noise([4, 4, 1, 1], 1, 200), s: noise([4, 4, 1, 1], 2, 0.5) },
    nodes: [
      ['Conv', ['x', 'w'], ['boxes']],
      ['Conv', ['x', 's'], ['scores']],
      ['Concat', ['boxes', 'scores'], ['y'], { axis: 1 }],
    ],
  });
  const { graph: int8, plan } = await quantizeTiny(graph, images());
  const decision = plan.decisions.get('y');
  t.match(decision, { kind: 'float', reason: /differ \d+ times/ });
  t.ok((await decibels(graph, int8, images())).scores! > 20);
});

t.test('a Concat of like branches shares one scale', async (t) => {
  const graph = tinyGraph({
    ...image,
    constants: { a: noise([4, 4, 1, 1], 1), b: noise([4, 4, 1, 1], 2) },
    nodes: [
      ['Conv', ['x', 'a'], ['l']],
      ['Conv', ['x', 'b'], ['r']],
      ['Concat', ['l', 'r'], ['y'], { axis: 1 }],
    ],
  });
  const { graph: int8 } = await quantizeTiny(graph, images());
  const scales = ['l', 'r', 'y'].map((value) => floatsOf(int8.constantOf(int8.producer(value)!, 1)!)![0]);
  t.equal(new Set(scales).size, 1);
});

t.test('residual Add, MaxPool and a padded shortcut stay in int8 from end to end', async (t) => {
  const graph = tinyGraph({
    ...image,
    constants: { w: noise([4, 4, 3, 3], 1), v: noise([8, 4, 1, 1], 2), pads: ints([0, 2, 0, 0, 0, 2, 0, 0]) },
    nodes: [
      ['Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] }],
      ['MaxPool', ['c'], ['m'], { kernel_shape: [2, 2], strides: [2, 2] }],
      ['Conv', ['m', 'v'], ['d']],
      ['Pad', ['m', 'pads'], ['p']],
      ['Add', ['d', 'p'], ['y']],
    ],
  });
  const { graph: int8, plan } = await quantizeTiny(graph, images());
  t.strictSame(
    [...plan.decisions.values()].map((decision) => decision.kind),
    ['int8', 'carry', 'int8', 'carry', 'int8'],
  );
  t.ok((await decibels(graph, int8, images())).y! > 28);
});

t.test('an excluded node stays float alone, whatever the names are, and nothing else does', async (t) => {
  const graph = tinyGraph({
    ...image,
    constants: { a: noise([4, 4, 1, 1], 1), b: noise([4, 4, 1, 1], 2), c: noise([4, 4, 1, 1], 3) },
    nodes: [
      ['Conv', ['x', 'a'], ['p']],
      ['Conv', ['p', 'b'], ['q']],
      ['Conv', ['q', 'c'], ['y']],
    ],
  });
  const { decisions } = placeQuantizers(graph, profile, new Map([['q', 'asked for']]));
  t.strictSame(
    [...decisions].map(([name, { kind }]) => [name, kind]),
    [
      ['p', 'int8'],
      ['q', 'float'],
      ['y', 'int8'],
    ],
  );
});

t.test('an operator without an int8 kernel stays float between int8 nodes, and says so', async (t) => {
  const graph = tinyGraph({
    ...image,
    constants: { w: noise([4, 4, 1, 1], 1), v: noise([4, 4, 1, 1], 2) },
    nodes: [
      ['Conv', ['x', 'w'], ['c']],
      ['HardSwish', ['c'], ['h']],
      ['Conv', ['h', 'v'], ['y']],
    ],
  });
  const { graph: int8, plan } = await quantizeTiny(graph, images());
  t.match(plan.decisions.get('h'), { kind: 'float', reason: /no int8 HardSwish/ });
  t.ok((await decibels(graph, int8, images())).y! > 28);
});

t.test('the same data gives the same file', async (t) => {
  const build = async () => {
    const graph = tinyGraph({
      ...image,
      constants: { w: noise([4, 4, 3, 3], 1) },
      nodes: [['Conv', ['x', 'w'], ['y']]],
    });
    return Buffer.from(encodeModel((await quantizeTiny(graph, images())).graph));
  };
  t.ok((await build()).equals(await build()));
});
