/** Every operator that can be written, against what ONNX Runtime computes from the same int8 graph. */
import { fixBatch } from '@espalier/compression/onnx/fix-batch';
import type { Tensor } from '@espalier/compression/onnx/tensor';
import { lowerToTflite } from '@espalier/compression/tflite/lower';
import { writeTflite } from '@espalier/compression/tflite/write';
import t from 'tap';
import { quantizeTiny } from '../support/quantized.ts';
import { floats, ints, noise, run, type TinyModel, tinyGraph } from '../support/tiny.ts';
import { interpret } from './interpreter.ts';
import { type ReadModel, readTflite } from './read.ts';

const floatsOf = ({ bytes }: Tensor): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);

/** Elements of an NCHW tensor in the order NHWC. */
function toNhwc(values: ArrayLike<number>, [n, c, h, w]: readonly number[]): Float32Array {
  const moved = new Float32Array(values.length);
  let flat = 0;
  for (let b = 0; b < n!; b++)
    for (let y = 0; y < h!; y++)
      for (let x = 0; x < w!; x++)
        for (let k = 0; k < c!; k++) moved[flat++] = values[((b * c! + k) * h! + y) * w! + x]!;
  return moved;
}

async function build(model: TinyModel, shape: number[], seed = 50) {
  const samples = Array.from({ length: 8 }, (_, at) => ({ x: noise(shape, seed + at) }));
  const { graph } = await quantizeTiny(tinyGraph(model), samples, 'ethos-u55');
  const fixed = fixBatch(graph, 1);
  return { fixed, samples, read: readTflite(writeTflite(lowerToTflite(fixed, 'tiny'))) };
}

const names = (read: ReadModel): string[] => read.operators.map(({ name }) => name);

const image = { inputs: { x: ['N', 4, 9, 8] as (number | string)[] }, outputs: ['y'] };
const conv = (o: number, i: number, kernel: number, seed: number) => noise([o, i, kernel, kernel], seed, 0.5);

/** [what, model, operators it becomes] */
const CASES: readonly [string, TinyModel, string[]][] = [
  [
    'a convolution with SAME padding, bias and an absorbed Relu',
    {
      ...image,
      constants: { w: conv(5, 4, 3, 1), b: noise([5], 2) },
      nodes: [
        ['Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] }],
        ['Relu', ['c'], ['y']],
      ],
    },
    ['CONV_2D'],
  ],
  [
    'a stride of 2 with padding in front, which SAME would put behind',
    {
      ...image,
      constants: { w: conv(5, 4, 3, 1) },
      nodes: [['Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1], strides: [2, 2] }]],
    },
    ['PAD', 'CONV_2D'],
  ],
  [
    'a dilated, oblong convolution without padding',
    { ...image, constants: { w: noise([3, 4, 3, 2], 1) }, nodes: [['Conv', ['x', 'w'], ['y'], { dilations: [2, 1] }]] },
    ['CONV_2D'],
  ],
  [
    'a depthwise convolution with two filters a channel',
    {
      ...image,
      constants: { w: conv(8, 1, 3, 1), b: noise([8], 2) },
      nodes: [['Conv', ['x', 'w', 'b'], ['y'], { group: 4, pads: [1, 1, 1, 1] }]],
    },
    ['DEPTHWISE_CONV_2D'],
  ],
  [
    'a residual sum of two scales, and a product with one number a channel',
    {
      ...image,
      constants: { w: conv(4, 4, 1, 1), scale: noise([1, 4, 1, 1], 3) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['Add', ['c', 'x'], ['s']],
        ['Mul', ['s', 'scale'], ['y']],
      ],
    },
    ['CONV_2D', 'ADD', 'MUL'],
  ],
  [
    'squeeze and excitation: mean, sigmoid, and a product that spreads',
    {
      ...image,
      constants: { w: conv(4, 4, 1, 1) },
      nodes: [
        ['GlobalAveragePool', ['x'], ['p']],
        ['Conv', ['p', 'w'], ['c']],
        ['Sigmoid', ['c'], ['g']],
        ['Mul', ['x', 'g'], ['y']],
      ],
    },
    ['MEAN', 'CONV_2D', 'LOGISTIC', 'MUL'],
  ],
  [
    'pools: the largest over a padded border, the mean without',
    {
      ...image,
      constants: { w: conv(4, 4, 1, 1) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['Relu', ['c'], ['r']],
        ['MaxPool', ['r'], ['m'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
        ['AveragePool', ['m'], ['y'], { kernel_shape: [2, 2] }],
      ],
    },
    ['CONV_2D', 'PAD', 'MAX_POOL_2D', 'AVERAGE_POOL_2D'],
  ],
  [
    'branches joined by channel with one scale',
    {
      ...image,
      constants: { w1: conv(3, 4, 1, 1), w2: conv(2, 4, 3, 2) },
      nodes: [
        ['Conv', ['x', 'w1'], ['a']],
        ['Conv', ['x', 'w2'], ['b'], { pads: [1, 1, 1, 1] }],
        ['Concat', ['a', 'b'], ['y'], { axis: 1 }],
      ],
    },
    ['CONV_2D', 'CONV_2D', 'CONCATENATION'],
  ],
  [
    'a flattened image into a Gemm whose columns follow, and the softmax of its own scale',
    {
      ...image,
      constants: { fc: noise([6, 4 * 9 * 8], 1, 0.1), b: noise([6], 2) },
      nodes: [
        ['Flatten', ['x'], ['f']],
        ['Gemm', ['f', 'fc', 'b'], ['g'], { transB: 1 }],
        ['Softmax', ['g'], ['y'], { axis: 1 }],
      ],
    },
    ['RESHAPE', 'FULLY_CONNECTED', 'SOFTMAX'],
  ],
  [
    'a MatMul, and a hard swish that absorbs its Relu',
    {
      ...image,
      constants: { m: noise([4, 5], 1) },
      nodes: [
        ['GlobalAveragePool', ['x'], ['p']],
        ['Flatten', ['p'], ['f']],
        ['MatMul', ['f', 'm'], ['g']],
        ['HardSwish', ['g'], ['h']],
        ['Relu', ['h'], ['y']],
      ],
    },
    ['MEAN', 'RESHAPE', 'FULLY_CONNECTED', 'HARD_SWISH'],
  ],
  [
    'a reshape that others than Gemm read: the axes are put back first',
    {
      ...image,
      constants: { w: conv(4, 4, 1, 1), to: ints([-1, 8, 36]) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['Reshape', ['c', 'to'], ['y']],
      ],
    },
    ['CONV_2D', 'TRANSPOSE', 'RESHAPE'],
  ],
  [
    'a transpose to NHWC costs nothing, a Pad of zeros is a PAD',
    {
      ...image,
      constants: { w: conv(4, 4, 1, 1), pads: ints([0, 0, 1, 2, 0, 1, 0, 1]) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['Pad', ['c', 'pads'], ['p']],
        ['Transpose', ['p'], ['y'], { perm: [0, 2, 3, 1] }],
      ],
    },
    ['CONV_2D', 'PAD'],
  ],
  [
    'a Relu behind a pool, which cannot absorb it, and a mean over the image',
    {
      ...image,
      constants: { w: conv(4, 4, 1, 1) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['MaxPool', ['c'], ['m'], { kernel_shape: [2, 2] }],
        ['Relu', ['m'], ['r']],
        ['ReduceMean', ['r'], ['y'], { axes: [2, 3] }],
      ],
    },
    ['CONV_2D', 'MAX_POOL_2D', 'RELU', 'MEAN'],
  ],
];

for (const [what, model, expected] of CASES) {
  t.test(what, async (t) => {
    const { fixed, samples, read } = await build(model, [1, 4, 9, 8]);
    t.strictSame(names(read), expected);
    const [output] = read.outputs.map((index) => read.tensors[index]!);
    let most = 0;
    for (const { x } of samples) {
      const { y } = await run(fixed, { x }, 'disabled');
      const [found] = interpret(read, [toNhwc(floatsOf(x), x.dims)]);
      const { shape } = output!;
      // Images come out as NHWC; what was put in order by the graph itself does not.
      const asImage = shape.length === 4 && expected.at(-1) !== 'PAD';
      const wanted = asImage ? toNhwc(y!, [shape[0]!, shape[3]!, shape[1]!, shape[2]!]) : y!;
      t.equal(found!.length, wanted.length);
      for (let at = 0; at < wanted.length; at++) most = Math.max(most, Math.abs(found![at]! - wanted[at]!));
    }
    const steps = most / output!.scales[0]!;
    t.ok(steps < 1.01, `${steps.toFixed(2)} steps from ONNX Runtime`);
  });
}

t.test('the file: identifier, aligned constants, an empty first buffer, integers only', async (t) => {
  const { read } = await build(CASES[3]![1], [1, 4, 9, 8]);
  t.match(read, { identifier: 'TFL3', version: 3, description: 'tiny', emptyBuffer: 0 });
  for (const { name, type, data, offset, zeros, scales } of read.tensors) {
    t.not(type, 'float32', name);
    if (data) t.equal(offset! % 16, 0, `${name} is aligned`);
    t.equal(zeros.length, scales.length, name);
  }
  const [weight] = read.tensors.filter(({ scales }) => scales.length === 8);
  t.match(weight, { axis: 3, shape: [1, 3, 3, 8] }, 'depthwise scales lie on the last axis');
  t.strictSame(
    read.operators.map(({ version }) => version),
    [3],
  );
});

for (const [what, node, why] of [
  ['an operator without a counterpart', ['Erf', ['x'], ['y']], /there is no such operator/],
  ['groups that are no channels', ['Conv', ['x', 'grouped'], ['y'], { group: 2 }], /2 groups of 2 channels/],
  [
    'a padded pool of negative numbers',
    ['MaxPool', ['x'], ['y'], { kernel_shape: [2, 2], pads: [1, 0, 0, 1] }],
    /SAME nor VALID/,
  ],
] as const) {
  t.test(`${what} is refused by name`, async (t) => {
    const model: TinyModel = {
      ...image,
      constants: { w: conv(4, 4, 1, 1), grouped: conv(4, 2, 1, 2) },
      nodes: [
        ['Conv', ['x', 'w'], ['z']],
        [
          node[0],
          node[1].map((name) => (name === 'x' ? 'z' : name)),
          [...node[2]],
          'length' in node && node.length > 3 ? (node[3] as never) : {},
        ],
      ],
    };
    await t.rejects(build(model, [1, 4, 9, 8]), { code: 'ESP_TFLITE_UNSUPPORTED', message: why });
    await t.rejects(build(model, [1, 4, 9, 8]), { message: new RegExp(`y.*${node[0]}`) });
  });
}

t.test('several inputs keep their order, whichever is read first', async (t) => {
  const graph = tinyGraph({
    inputs: { a: ['N', 2, 4, 4], b: ['N', 3, 4, 4] },
    outputs: ['y'],
    constants: { wa: conv(2, 2, 1, 1), wb: conv(2, 3, 1, 2) },
    nodes: [
      ['Conv', ['b', 'wb'], ['cb']],
      ['Conv', ['a', 'wa'], ['ca']],
      ['Add', ['ca', 'cb'], ['y']],
    ],
  });
  const samples = Array.from({ length: 8 }, (_, at) => ({
    a: noise([1, 2, 4, 4], at),
    b: noise([1, 3, 4, 4], at + 9),
  }));
  const { graph: int8 } = await quantizeTiny(graph, samples, 'ethos-u55');
  const { inputs, tensors } = readTflite(writeTflite(lowerToTflite(fixBatch(int8, 1), 'two')));
  t.strictSame(
    inputs.map((at) => tensors[at]!.shape),
    [
      [1, 4, 4, 2],
      [1, 4, 4, 3],
    ],
  );
});

t.test('a constant operand of several axes is refused', async (t) => {
  const model: TinyModel = {
    ...image,
    constants: { m: noise([1, 4, 9, 8], 3), one: floats([], [1]) },
    nodes: [['Add', ['x', 'm'], ['y']]],
  };
  await t.rejects(build(model, [1, 4, 9, 8]), { code: 'ESP_TFLITE_UNSUPPORTED', message: /more than one axis/ });
});

/** [what, model, operators it becomes with float at its ends, from what x64 serves: uint8 and a float result] */
const FLOAT_ENDS: readonly [string, TinyModel, string[]][] = [
  [
    'an image in and a Gemm out, whose product is float',
    {
      ...image,
      constants: { w: conv(5, 4, 3, 1), b: noise([5], 2), fc: noise([6, 5], 3), fb: noise([6], 4) },
      nodes: [
        ['Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] }],
        ['Relu', ['c'], ['r']],
        ['GlobalAveragePool', ['r'], ['p']],
        ['Flatten', ['p'], ['f']],
        ['Gemm', ['f', 'fc', 'fb'], ['y'], { transB: 1 }],
      ],
    },
    ['QUANTIZE', 'TRANSPOSE', 'CONV_2D', 'MEAN', 'RESHAPE', 'DEQUANTIZE', 'FULLY_CONNECTED'],
  ],
  [
    'an image out, in the axes of ONNX again',
    {
      ...image,
      constants: { w: conv(5, 4, 3, 1) },
      nodes: [
        ['Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] }],
        ['Relu', ['c'], ['y']],
      ],
    },
    ['QUANTIZE', 'TRANSPOSE', 'CONV_2D', 'TRANSPOSE', 'DEQUANTIZE'],
  ],
  [
    'a softmax in float behind an int8 product',
    {
      ...image,
      constants: { w: conv(5, 4, 3, 1), fc: noise([5, 6], 3) },
      nodes: [
        ['Conv', ['x', 'w'], ['c']],
        ['Relu', ['c'], ['r']],
        ['GlobalAveragePool', ['r'], ['p']],
        ['Flatten', ['p'], ['f']],
        ['MatMul', ['f', 'fc'], ['m']],
        ['Softmax', ['m'], ['y'], { axis: -1 }],
      ],
    },
    ['QUANTIZE', 'TRANSPOSE', 'CONV_2D', 'MEAN', 'RESHAPE', 'FULLY_CONNECTED', 'DEQUANTIZE', 'SOFTMAX'],
  ],
];

for (const [what, model, expected] of FLOAT_ENDS) {
  t.test(`float ends: ${what}`, async (t) => {
    const samples = Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 4, 9, 8], 70 + at) }));
    const { graph } = await quantizeTiny(tinyGraph(model), samples, 'x64-avx512-vnni');
    const fixed = fixBatch(graph, 1);
    const read = readTflite(writeTflite(lowerToTflite(fixed, 'tiny', 'float')));
    t.strictSame(names(read), expected);
    const [input, output] = [read.inputs, read.outputs].map(([index]) => read.tensors[index!]!);
    t.match(input, { name: 'x', type: 'float32', shape: [1, 4, 9, 8] });
    t.match(output, { name: 'y', type: 'float32' });
    let [most, largest] = [0, 0];
    for (const { x } of samples) {
      const { y } = await run(fixed, { x }, 'disabled');
      const [found] = interpret(read, [floatsOf(x)]);
      t.equal(found!.length, y!.length);
      for (const [at, wanted] of y!.entries()) {
        most = Math.max(most, Math.abs(found![at]! - wanted));
        largest = Math.max(largest, Math.abs(wanted));
      }
    }
    t.ok(most <= (1.01 * largest) / 127, `${most} of ${largest}`);
  });
}
