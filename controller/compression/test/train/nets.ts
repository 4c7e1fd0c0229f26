/** Small networks, one for each way that a gradient rule is written. */
import { type AttributeValue, floats, ints, noise, type TinyModel } from '../support/tiny.ts';

export interface Net {
  readonly name: string;
  readonly input: readonly number[];
  readonly model: TinyModel;
}

/** Samples in a batch: they fill the blocks of every layout. */
export const BATCH = 16;
export const CLASSES = 10;

type Attributes = Record<string, AttributeValue>;

/** Writes a network node by node; every method returns the name of the value it makes. */
class Writer {
  readonly nodes: TinyModel['nodes'] = [];
  readonly constants: Record<string, ReturnType<typeof noise>> = {};
  private count = 0;

  weights(dims: number[], scale = 1, shift = 0): string {
    const name = `w${this.count++}`;
    const { bytes } = noise(dims, 31 * this.count, scale);
    this.constants[name] = floats(
      dims,
      new Float32Array(new Uint8Array(bytes).buffer).map((value) => value + shift),
    );
    return name;
  }
  ints(values: number[]): string {
    const name = `i${this.count++}`;
    this.constants[name] = ints(values);
    return name;
  }
  scalar(value: number): string {
    const name = `s${this.count++}`;
    this.constants[name] = floats([], [value]);
    return name;
  }
  node(op: string, inputs: string[], attributes: Attributes = {}): string {
    return this.several(op, inputs, 1, attributes)[0]!;
  }
  several(op: string, inputs: string[], outputs: number, attributes: Attributes = {}): string[] {
    const names = Array.from({ length: outputs }, () => `v${this.count++}`);
    this.nodes.push([op, inputs, names, attributes]);
    return names;
  }
  conv(x: string, from: number, to: number, kernel: number, more: Attributes = {}): string {
    const groups = (more.group as number | undefined) ?? 1;
    const weights = this.weights([to, from / groups, kernel, kernel], 1 / kernel);
    return this.node('Conv', [x, weights, this.weights([to])], { kernel_shape: [kernel, kernel], ...more });
  }
  /** 3 channels of the input to `channels`: so the gradient of what follows passes through it, and is seen. */
  stem(channels: number): string {
    return this.conv('x', 3, channels, 3, { pads: [1, 1, 1, 1] });
  }
  head(x: string, features: number): string {
    return this.node('Gemm', [x, this.weights([CLASSES, features], 0.3), this.weights([CLASSES])], { transB: 1 });
  }
  pooledHead(x: string, channels: number): string {
    return this.head(this.node('Flatten', [this.node('GlobalAveragePool', [x])], { axis: 1 }), channels);
  }
}

function net(name: string, input: number[], write: (writer: Writer) => string): Net {
  const writer = new Writer();
  const output = write(writer);
  const { nodes, constants } = writer;
  const opset = nodes.some(([op]) => op === 'Gelu') ? 20 : 17;
  return { name, input, model: { opset, inputs: { x: ['batch', ...input] }, outputs: [output], constants, nodes } };
}

interface ConvCase {
  readonly from?: number;
  readonly to?: number;
  readonly kernel?: number;
  readonly sizes?: number[];
  readonly attributes?: Attributes;
}

const around = (pad: number): number[] => [pad, pad, pad, pad];
const CONVOLUTIONS: Readonly<Record<string, ConvCase>> = {
  '3x3': { to: 32, attributes: { pads: around(1) } },
  '3x3, stride 2': { to: 32, sizes: [8, 7], attributes: { pads: around(1), strides: [2, 2] } },
  '3x3 without padding': {},
  '3x3, stride 2, without padding': { to: 32, sizes: [8, 7], attributes: { strides: [2, 2] } },
  '3x3, stride 2, uneven padding': { attributes: { pads: [0, 0, 1, 1], strides: [2, 2] } },
  '3x3, stride 2 by 1': { attributes: { pads: around(1), strides: [2, 1] } },
  '5x5, stride 2': { kernel: 5, sizes: [8, 7], attributes: { pads: around(2), strides: [2, 2] } },
  '3x3, stride 3': { sizes: [8, 7], attributes: { pads: around(1), strides: [3, 3] } },
  '1x1': { kernel: 1, to: 48 },
  '1x1, stride 2': { kernel: 1, to: 32, sizes: [8, 7], attributes: { strides: [2, 2] } },
  '3x3, odd channels': { from: 6, to: 10, attributes: { pads: around(1) } },
  '3x3, odd channels, stride 2': { from: 6, to: 10, sizes: [8, 7], attributes: { pads: around(1), strides: [2, 2] } },
  '3x3, dilated': { attributes: { pads: around(2), dilations: [2, 2] } },
  '3x3, dilated, stride 2': { sizes: [8, 7], attributes: { pads: around(2), dilations: [2, 2], strides: [2, 2] } },
  depthwise: { to: 16, attributes: { group: 16, pads: around(1) } },
  'depthwise, stride 2': { sizes: [8, 7], attributes: { group: 16, pads: around(1), strides: [2, 2] } },
  'depthwise 5x5, stride 2': { kernel: 5, sizes: [8, 7], attributes: { group: 16, pads: around(2), strides: [2, 2] } },
  'depthwise, dilated': { attributes: { group: 16, pads: around(2), dilations: [2, 2] } },
  'depthwise, uneven padding': { attributes: { group: 16, pads: [0, 0, 1, 1], strides: [2, 2] } },
  'depthwise, odd channels': { from: 6, to: 6, attributes: { group: 6, pads: around(1) } },
  'depthwise with a multiplier': { from: 6, to: 12, attributes: { group: 6, pads: around(1) } },
  'in groups': { to: 32, attributes: { group: 4, pads: around(1) } },
  'in groups, stride 2': { to: 32, sizes: [8, 7], attributes: { group: 4, pads: around(1), strides: [2, 2] } },
};

const convolutions = Object.entries(CONVOLUTIONS).flatMap(([name, one]) => {
  const { from = 16, to = 16, kernel = 3, sizes = [7], attributes = {} } = one;
  return sizes.map((size) =>
    net(`Conv ${name}, ${size}x${size}`, [3, size, size], (w) =>
      w.pooledHead(w.node('Sigmoid', [w.conv(w.stem(from), from, to, kernel, attributes)]), to),
    ),
  );
});

const activation = (name: string, apply: (writer: Writer, x: string) => string): Net =>
  net(name, [3, 5, 5], (w) => w.pooledHead(apply(w, w.stem(16)), 16));

const ACTIVATIONS = ['Relu', 'LeakyRelu', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Erf', 'Gelu'];

const normalized = (op: string, running: number) => (w: Writer, x: string) => {
  const statistics = Array.from({ length: running }, () => w.weights([16], 0.1, 1));
  return w.node('Relu', [w.node(op, [x, w.weights([16], 0.5, 1), w.weights([16]), ...statistics])]);
};

const attention = net('attention', [6, 8], (w) => {
  const heads = (x: string): string => {
    const parts = w.node('Reshape', [w.node('MatMul', [x, w.weights([8, 8], 0.7)]), w.ints([0, 6, 2, 4])]);
    return w.node('Transpose', [parts], { perm: [0, 2, 1, 3] });
  };
  const [q, k, v] = [heads('x'), w.node('Transpose', [heads('x')], { perm: [0, 1, 3, 2] }), heads('x')];
  const scores = w.node('Softmax', [w.node('Mul', [w.node('MatMul', [q, k]), w.scalar(0.5)])], { axis: -1 });
  const mixed = w.node('Transpose', [w.node('MatMul', [scores, v])], { perm: [0, 2, 1, 3] });
  const joined = w.node('Add', [w.node('Reshape', [mixed, w.ints([0, 6, 8])]), 'x']);
  const normal = w.node('LayerNormalization', [joined, w.weights([8], 0.5, 1), w.weights([8])]);
  return w.head(w.node('ReduceMean', [normal], { axes: [1], keepdims: 0 }), 8);
});

export const NETS: readonly Net[] = [
  ...convolutions,
  ...ACTIVATIONS.map((op) => activation(op, (w, x) => w.node(op, [x]))),
  activation('PRelu', (w, x) => w.node('PRelu', [x, w.weights([16, 1, 1])])),
  activation('Clip to 0..6', (w, x) => w.node('Clip', [w.node('Mul', [x, w.scalar(6)]), w.scalar(0), w.scalar(6)])),
  activation('Clip to -1..1', (w, x) => w.node('Clip', [x, w.scalar(-1), w.scalar(1)])),
  activation('BatchNormalization', normalized('BatchNormalization', 2)),
  activation('InstanceNormalization', normalized('InstanceNormalization', 0)),
  activation('Div, Sub and Sqrt', (w, x) =>
    w.node('Div', [
      w.node('Sub', [x, w.weights([16, 1, 1])]),
      w.node('Sqrt', [w.node('Add', [w.node('Mul', [x, x]), w.scalar(1)])]),
    ]),
  ),
  activation('a residual', (w, x) => w.node('Relu', [w.node('Add', [w.conv(x, 16, 16, 3, { pads: around(1) }), x])])),
  activation('Concat and a gate', (w, x) => {
    const gate = w.node('Sigmoid', [w.conv(w.node('GlobalAveragePool', [x]), 16, 16, 1)]);
    const [left] = w.several(
      'Split',
      [w.node('Concat', [w.node('Mul', [x, gate]), x], { axis: 1 }), w.ints([16, 16])],
      2,
      { axis: 1 },
    );
    return left!;
  }),
  activation('Gather of channels', (w, x) => {
    const kept = w.node('Gather', [x, w.ints([3, 1, 7, 15])], { axis: 1 });
    return w.node('Pad', [kept, w.ints([0, 4, 0, 0, 0, 8, 0, 0])]);
  }),
  net('Slice and Pad', [3, 8, 8], (w) => {
    const half = w.node('Slice', [w.stem(16), w.ints([0, 0]), w.ints([9999, 9999]), w.ints([2, 3]), w.ints([2, 2])]);
    return w.pooledHead(w.node('Sigmoid', [w.node('Pad', [half, w.ints([0, 8, 0, 0, 0, 8, 0, 0])])]), 32);
  }),
  net('ConvTranspose', [3, 4, 4], (w) => {
    const attributes = { kernel_shape: [3, 3], strides: [2, 2], pads: around(1), output_padding: [1, 1] };
    return w.pooledHead(
      w.node('Sigmoid', [
        w.node('ConvTranspose', [w.stem(16), w.weights([16, 16, 3, 3]), w.weights([16])], attributes),
      ]),
      16,
    );
  }),
  net('ConvTranspose in groups', [3, 4, 4], (w) => {
    const attributes = { kernel_shape: [2, 2], strides: [2, 2], group: 2 };
    return w.pooledHead(
      w.node('Sigmoid', [w.node('ConvTranspose', [w.stem(16), w.weights([16, 4, 2, 2])], attributes)]),
      8,
    );
  }),
  net('MaxPool 2x2', [3, 8, 8], (w) =>
    w.pooledHead(w.node('MaxPool', [w.stem(16)], { kernel_shape: [2, 2], strides: [2, 2] }), 16),
  ),
  net('MaxPool 3x3 that overlaps', [3, 7, 7], (w) =>
    w.pooledHead(w.node('MaxPool', [w.stem(16)], { kernel_shape: [3, 3], strides: [2, 2], pads: around(1) }), 16),
  ),
  net('AveragePool 2x2', [3, 8, 8], (w) =>
    w.pooledHead(
      w.node('Sigmoid', [w.node('AveragePool', [w.stem(16)], { kernel_shape: [2, 2], strides: [2, 2] })]),
      16,
    ),
  ),
  net('AveragePool 3x3 that overlaps', [3, 7, 7], (w) =>
    w.pooledHead(
      w.node('Sigmoid', [w.node('AveragePool', [w.stem(16)], { kernel_shape: [3, 3], strides: [2, 2] })]),
      16,
    ),
  ),
  net('Gemm both ways', [12], (w) => {
    const hidden = w.node('Relu', [w.node('Gemm', ['x', w.weights([12, 20]), w.weights([20])])]);
    return w.head(w.node('Sub', [hidden, w.weights([20])]), 20);
  }),
  attention,
];
