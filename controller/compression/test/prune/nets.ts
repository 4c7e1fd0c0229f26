/** Small networks of the shapes at which pruners go wrong; the numbers are those of the field cases they come from. */
import type { Tensor } from '@espalier/compression/onnx/tensor';
import { floats, ints, noise, type TinyModel } from '../support/tiny.ts';

export interface PruneNet {
  readonly name: string;
  readonly model: TinyModel;
  readonly input: number[];
  /** Producers of groups that must be found, tied ones joined with +. */
  readonly groups: readonly string[];
}

const conv = (seed: number, out: number, into: number, kernel = 3): Tensor =>
  noise([out, into, kernel, kernel], seed, 1 / Math.sqrt(into));
const bias = (seed: number, out: number): Tensor => noise([out], seed);
const same = { pads: [1, 1, 1, 1] };
const net = (
  name: string,
  groups: readonly string[],
  model: Omit<TinyModel, 'inputs' | 'outputs'>,
  input = [2, 8, 8, 8],
): PruneNet => ({
  ...{ name, groups, input },
  model: { inputs: { x: ['N', ...input.slice(1)] }, outputs: ['y'], ...model },
});
const batchNorm = (seed: number, size: number): Record<string, Tensor> => ({
  gamma: noise([size], seed),
  beta: noise([size], seed + 1),
  mean: noise([size], seed + 2),
  variance: floats(
    [size],
    Array.from({ length: size }, (_, at) => 0.5 + at / size),
  ),
});

export const nets: readonly PruneNet[] = [
  net('two convolutions', ['a'], {
    constants: { wa: conv(1, 12, 8), ba: bias(2, 12), wb: conv(3, 4, 12) },
    nodes: [
      ['Conv', ['x', 'wa', 'ba'], ['a'], same],
      ['Relu', ['a'], ['r']],
      ['Conv', ['r', 'wb'], ['y'], same],
    ],
  }),
  net('a residual connection ties two producers', ['a+c', 'b'], {
    constants: { wa: conv(1, 12, 8), wb: conv(2, 16, 12), wc: conv(3, 12, 16), wd: conv(4, 4, 12) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Conv', ['a', 'wb'], ['b'], same],
      ['Relu', ['b'], ['rb']],
      ['Conv', ['rb', 'wc'], ['c'], same],
      ['Add', ['a', 'c'], ['s']],
      ['Conv', ['s', 'wd'], ['y'], same],
    ],
  }),
  net('depthwise in an inverted residual', ['a'], {
    constants: { wa: conv(1, 16, 8, 1), wd: conv(2, 16, 1), bd: bias(3, 16), wb: conv(4, 8, 16, 1) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a']],
      ['Clip', ['a', 'zero', 'six'], ['ra']],
      ['Conv', ['ra', 'wd', 'bd'], ['d'], { ...same, group: 16 }],
      ['HardSwish', ['d'], ['rd']],
      ['Conv', ['rd', 'wb'], ['b']],
      ['Add', ['x', 'b'], ['y']],
    ].map((node) => node as never),
  }),
  net('A8: a depthwise convolution with multiplier 2', ['a'], {
    constants: { wa: conv(1, 8, 8, 1), wd: conv(2, 16, 1), wb: conv(4, 4, 16, 1) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a']],
      ['Conv', ['a', 'wd'], ['d'], { ...same, group: 8 }],
      ['Conv', ['d', 'wb'], ['y']],
    ],
  }),
  net('A8: a grouped convolution in the middle', ['a', 'g'], {
    constants: { wa: conv(1, 16, 8), wg: conv(2, 24, 4), bg: bias(5, 24), wb: conv(3, 4, 24) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Relu', ['a'], ['ra']],
      ['Conv', ['ra', 'wg', 'bg'], ['g'], { ...same, group: 4 }],
      ['Relu', ['g'], ['rg']],
      ['Conv', ['rg', 'wb'], ['y'], same],
    ],
  }),
  net('A9: a dense convolution with one output', ['a'], {
    constants: { wa: conv(1, 12, 8), wb: conv(2, 1, 12) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Conv', ['a', 'wb'], ['y'], same],
    ],
  }),
  net('A10: a value joined with itself, and two branches under a residual', ['a', 'b+d', 'c+d'], {
    constants: { wa: conv(1, 8, 8), wb: conv(2, 6, 16), wc: conv(3, 10, 16), wd: conv(4, 16, 16), we: conv(5, 4, 16) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Concat', ['a', 'a'], ['aa'], { axis: 1 }],
      ['Conv', ['aa', 'wb'], ['b'], same],
      ['Conv', ['aa', 'wc'], ['c'], same],
      ['Concat', ['b', 'c'], ['bc'], { axis: 1 }],
      ['Conv', ['bc', 'wd'], ['d'], same],
      ['Add', ['bc', 'd'], ['s']],
      ['Conv', ['s', 'we'], ['y'], same],
    ],
  }),
  net('A11: pooled and flattened into a Gemm', ['a', 'g'], {
    constants: { wa: conv(1, 10, 8), wg: noise([6, 160], 2), bg: bias(3, 6), wh: noise([6, 3], 4) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['MaxPool', ['a'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }],
      ['Flatten', ['p'], ['f'], { axis: 1 }],
      ['Gemm', ['f', 'wg', 'bg'], ['g'], { transB: 1 }],
      ['Relu', ['g'], ['rg']],
      ['Gemm', ['rg', 'wh'], ['y']],
    ],
  }),
  net('A11: reshaped with a constant that counts channels', ['a'], {
    constants: { wa: conv(1, 10, 8), shape: ints([-1, 640]), wg: noise([640, 3], 2) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Reshape', ['a', 'shape'], ['f']],
      ['Gemm', ['f', 'wg'], ['y']],
    ],
  }),
  net('A7: a channel shuffle', ['a'], {
    constants: {
      ...{ wa: conv(1, 16, 8), wb: conv(2, 16, 4), wc: conv(3, 4, 16) },
      ...{ parted: ints([0, 4, 4, 8, 8]), joined: ints([0, 16, 8, 8]) },
    },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Reshape', ['a', 'parted'], ['p']],
      ['Transpose', ['p'], ['t'], { perm: [0, 2, 1, 3, 4] }],
      ['Reshape', ['t', 'joined'], ['j']],
      ['Conv', ['j', 'wc'], ['y'], same],
    ],
  }),
  net('A7: split, one branch, joined again', ['a', 'b'], {
    constants: { wa: conv(1, 16, 8), sizes: ints([10, 6]), wb: conv(2, 12, 10), wc: conv(3, 4, 18) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Split', ['a', 'sizes'], ['l', 'r'], { axis: 1 }],
      ['Conv', ['l', 'wb'], ['b'], same],
      ['Concat', ['r', 'b'], ['rb'], { axis: 1 }],
      ['Conv', ['rb', 'wc'], ['y'], same],
    ],
  }),
  net('a slice of the channels', ['a', 'a'], {
    constants: {
      wa: conv(1, 16, 8),
      from: ints([4]),
      to: ints([12]),
      axes: ints([1]),
      wb: conv(2, 4, 8),
      wc: conv(3, 4, 16),
    },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Slice', ['a', 'from', 'to', 'axes'], ['s']],
      ['Conv', ['s', 'wb'], ['b'], same],
      ['Conv', ['a', 'wc'], ['c'], same],
      ['Add', ['b', 'c'], ['y']],
    ],
  }),
  net('a Gather that turns the channels round', ['a'], {
    constants: { wa: conv(1, 8, 8), order: ints([7, 6, 5, 4, 3, 2, 1, 0]), wb: conv(2, 4, 8) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Gather', ['a', 'order'], ['g'], { axis: 1 }],
      ['Conv', ['g', 'wb'], ['y'], same],
    ],
  }),
  net('squeeze and excitation', ['a+s2', 's1'], {
    constants: { wa: conv(1, 16, 8), w1: conv(2, 4, 16, 1), w2: conv(3, 16, 4, 1), wb: conv(4, 4, 16) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['GlobalAveragePool', ['a'], ['p']],
      ['Conv', ['p', 'w1'], ['s1']],
      ['Relu', ['s1'], ['r1']],
      ['Conv', ['r1', 'w2'], ['s2']],
      ['Sigmoid', ['s2'], ['gate']],
      ['Mul', ['a', 'gate'], ['m']],
      ['Conv', ['m', 'wb'], ['y'], same],
    ],
  }),
  net('BatchNormalization after a Concat, and PRelu', ['a', 'b'], {
    constants: {
      ...{ wa: conv(1, 6, 8), wb: conv(2, 10, 8), ...batchNorm(3, 16), slope: noise([16, 1, 1], 9) },
      wc: conv(4, 4, 16),
    },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['Conv', ['x', 'wb'], ['b'], same],
      ['Concat', ['a', 'b'], ['ab'], { axis: 1 }],
      ['BatchNormalization', ['ab', 'gamma', 'beta', 'mean', 'variance'], ['n']],
      ['PRelu', ['n', 'slope'], ['r']],
      ['Conv', ['r', 'wc'], ['y'], same],
    ],
  }),
  net('ConvTranspose', ['a', 'u'], {
    constants: { wa: conv(1, 12, 8), wu: noise([12, 10, 2, 2], 2), bu: bias(3, 10), wb: conv(4, 4, 10) },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], same],
      ['ConvTranspose', ['a', 'wu', 'bu'], ['u'], { strides: [2, 2] }],
      ['Relu', ['u'], ['r']],
      ['Conv', ['r', 'wb'], ['y'], same],
    ],
  }),
  net('a feed-forward block of MatMuls', ['h', 'm'], {
    constants: {
      w1: noise([8, 20], 1),
      b1: bias(2, 20),
      w2: noise([20, 8], 3),
      w3: noise([8, 4], 4),
      order: ints([0, 8, 64]),
    },
    nodes: [
      ['Reshape', ['x', 'order'], ['f']],
      ['Transpose', ['f'], ['seq'], { perm: [0, 2, 1] }],
      ['MatMul', ['seq', 'w1'], ['h']],
      ['Add', ['h', 'b1'], ['hb']],
      ['Relu', ['hb'], ['hr']],
      ['MatMul', ['hr', 'w2'], ['m']],
      ['MatMul', ['m', 'w3'], ['y']],
    ],
  }),
];

export const clipBounds = { zero: floats([], [0]), six: floats([], [6]) };
