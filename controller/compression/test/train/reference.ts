/**
 * The oracle of the gradient tests: a plain interpreter of the forward pass in float64, loops and definitions only. What it
 * computes for slightly moved weights says what the gradient has to be.
 */
import type { Graph } from '@espalier/compression/onnx/graph';
import { floatOf, intOf, intsOf, type Node } from '@espalier/compression/onnx/node';
import { numbersOf } from '@espalier/compression/onnx/tensor';

export interface Value {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** Calls back with every index of a shape. */
function eachIndex(dims: readonly number[], visit: (index: number[], at: number) => void): void {
  const index = dims.map(() => 0);
  for (let at = 0; at < sizeOf(dims); at++) {
    visit(index, at);
    for (let axis = dims.length - 1; axis >= 0 && ++index[axis]! === dims[axis]; axis--) index[axis] = 0;
  }
}

const offsetOf = (dims: readonly number[], index: readonly number[]): number =>
  index.reduce((at, place, axis) => at * dims[axis]! + place, 0);

function make(dims: readonly number[], value: (index: number[], at: number) => number): Value {
  const data = new Float64Array(sizeOf(dims));
  eachIndex(dims, (index, at) => {
    data[at] = value(index, at);
  });
  return { dims, data };
}

/** The element of a broadcast operand [ONNX, "Broadcasting"]. */
const read = ({ dims, data }: Value, index: readonly number[]): number => {
  const lead = index.length - dims.length;
  return data[
    offsetOf(
      dims,
      dims.map((size, axis) => (size === 1 ? 0 : index[axis + lead]!)),
    )
  ]!;
};

const joined = (a: readonly number[], b: readonly number[]): number[] => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, at) => Math.max(a[a.length - rank + at] ?? 1, b[b.length - rank + at] ?? 1));
};

const both =
  (f: (a: number, b: number) => number): Operator =>
  (_, [a, b]) =>
    make(joined(a!.dims, b!.dims), (index) => f(read(a!, index), read(b!, index)));

const each =
  (f: (x: number, node: Node) => number): Operator =>
  (node, [x]) =>
    make(x!.dims, (_, at) => f(x!.data[at]!, node));

type Operator = (node: Node, inputs: readonly (Value | null)[]) => Value | Value[];

/** erf by its series; exact to 1e-12 for the |x| < 5 of the tests. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let k = 1; k < 200; k++) {
    term *= (-x * x) / k;
    sum += term / (2 * k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const pairOf = (node: Node, name: string, otherwise: number[]): number[] => intsOf(node, name) ?? otherwise;

const convolve: Operator = (node, [x, w, b]) => {
  const [n, c, h, width] = x!.dims as [number, number, number, number];
  const [o, perGroup, kh, kw] = w!.dims as [number, number, number, number];
  const [s, d] = [pairOf(node, 'strides', [1, 1]), pairOf(node, 'dilations', [1, 1])] as [number[], number[]];
  const p = pairOf(node, 'pads', [0, 0, 0, 0]);
  const perOut = o / intOf(node, 'group', 1);
  const room = [h + p[0]! + p[2]! - d[0]! * (kh - 1) - 1, width + p[1]! + p[3]! - d[1]! * (kw - 1) - 1];
  const dims = [n, o, Math.floor(room[0]! / s[0]!) + 1, Math.floor(room[1]! / s[1]!) + 1];
  return make(dims, ([sample, channel, row, column]) => {
    let sum = b ? b.data[channel!]! : 0;
    const first = Math.floor(channel! / perOut) * perGroup;
    for (let i = 0; i < kh; i++) {
      const y = row! * s[0]! - p[0]! + i * d[0]!;
      if (y < 0 || y >= h) continue;
      for (let j = 0; j < kw; j++) {
        const z = column! * s[1]! - p[1]! + j * d[1]!;
        if (z < 0 || z >= width) continue;
        for (let k = 0; k < perGroup; k++) {
          const pixel = x!.data[((sample! * c + first + k) * h + y) * width + z]!;
          sum += pixel * w!.data[((channel! * perGroup + k) * kh + i) * kw + j]!;
        }
      }
    }
    return sum;
  });
};

const convolveTransposed: Operator = (node, [x, w, b]) => {
  const [n, inChannels, h, width] = x!.dims as [number, number, number, number];
  const [, perGroup, kh, kw] = w!.dims as [number, number, number, number];
  const [s, p] = [pairOf(node, 'strides', [1, 1]), pairOf(node, 'pads', [0, 0, 0, 0])];
  const extra = pairOf(node, 'output_padding', [0, 0]);
  const groups = intOf(node, 'group', 1);
  const size = [(h - 1) * s[0]! + kh - p[0]! - p[2]! + extra[0]!, (width - 1) * s[1]! + kw - p[1]! - p[3]! + extra[1]!];
  const made = make([n, perGroup * groups, ...size], (index) => (b ? b.data[index[1]!]! : 0));
  eachIndex([n, inChannels, h, width, perGroup, kh, kw], ([sample, c, row, column, k, i, j]) => {
    const [y, z] = [row! * s[0]! - p[0]! + i!, column! * s[1]! - p[1]! + j!];
    if (y < 0 || z < 0 || y >= size[0]! || z >= size[1]!) return;
    const channel = Math.floor(c! / (inChannels / groups)) * perGroup + k!;
    made.data[offsetOf(made.dims, [sample!, channel, y, z])]! +=
      x!.data[offsetOf(x!.dims, [sample!, c!, row!, column!])]! * w!.data[offsetOf(w!.dims, [c!, k!, i!, j!])]!;
  });
  return made;
};

const multiply: Operator = (_, [a, b]) => {
  const inner = a!.dims.at(-1)!;
  const lead = joined(a!.dims.slice(0, -2), b!.dims.slice(0, -2));
  return make([...lead, a!.dims.at(-2)!, b!.dims.at(-1)!], (index) => {
    const [row, column] = index.slice(-2) as [number, number];
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += read(a!, [...index.slice(0, -2), row, k]) * read(b!, [...index.slice(0, -2), k, column]);
    }
    return sum;
  });
};

const turn = (x: Value, perm: readonly number[]): Value =>
  make(
    perm.map((axis) => x.dims[axis]!),
    (index) =>
      x.data[
        offsetOf(
          x.dims,
          x.dims.map((_, axis) => index[perm.indexOf(axis)]!),
        )
      ]!,
  );

const gemm: Operator = (node, [a, b, c]) => {
  const right = intOf(node, 'transB', 0) ? turn(b!, [1, 0]) : b!;
  const product = multiply(node, [a!, right]) as Value;
  return c ? make(product.dims, (index, at) => product.data[at]! + read(c, index)) : product;
};

/** Mean 0 and variance 1 over the axes for which `isShared` is true, then scale and shift by channel or by element. */
function normalize(node: Node, x: Value, gamma: Value, beta: Value | null, isShared: (axis: number) => boolean): Value {
  const kept = x.dims.map((size, axis) => (isShared(axis) ? 1 : size));
  const [sums, squares] = [make(kept, () => 0), make(kept, () => 0)];
  const count = sizeOf(x.dims) / sizeOf(kept);
  const at = (index: readonly number[]): number =>
    offsetOf(
      kept,
      index.map((place, axis) => (isShared(axis) ? 0 : place)),
    );
  eachIndex(x.dims, (index, place) => {
    sums.data[at(index)]! += x.data[place]! / count;
  });
  eachIndex(x.dims, (index, place) => {
    squares.data[at(index)]! += (x.data[place]! - sums.data[at(index)]!) ** 2 / count;
  });
  const epsilon = floatOf(node, 'epsilon', 1e-5);
  const perChannel = node.opType !== 'LayerNormalization';
  const of = (value: Value, index: readonly number[]): number =>
    perChannel ? value.data[index[1]!]! : read(value, index);
  return make(x.dims, (index, place) => {
    const unit = (x.data[place]! - sums.data[at(index)]!) / Math.sqrt(squares.data[at(index)]! + epsilon);
    return unit * of(gamma, index) + (beta ? of(beta, index) : 0);
  });
}

const pool =
  (start: number, take: (sum: number, x: number) => number, finish: (sum: number, area: number) => number): Operator =>
  (node, [x]) => {
    const [n, c, h, w] = x!.dims as [number, number, number, number];
    const [k, s, p] = [
      intsOf(node, 'kernel_shape')!,
      pairOf(node, 'strides', [1, 1]),
      pairOf(node, 'pads', [0, 0, 0, 0]),
    ];
    const out = [
      Math.floor((h + p[0]! + p[2]! - k[0]!) / s[0]!) + 1,
      Math.floor((w + p[1]! + p[3]! - k[1]!) / s[1]!) + 1,
    ];
    return make([n, c, ...out], ([sample, channel, row, column]) => {
      let sum = start;
      eachIndex(k, ([i, j]) => {
        const [y, z] = [row! * s[0]! - p[0]! + i!, column! * s[1]! - p[1]! + j!];
        if (y >= 0 && z >= 0 && y < h && z < w) sum = take(sum, x!.data[offsetOf(x!.dims, [sample!, channel!, y, z])]!);
      });
      return finish(sum, k[0]! * k[1]!);
    });
  };

const constantInts = (input: Value | null | undefined): number[] => [...(input?.data ?? [])];

const slice: Operator = (_, [x, starts, ends, axes, steps]) => {
  const chosen = x!.dims.map((size) => ({ start: 0, end: size, step: 1 }));
  for (const [at, axis] of constantInts(axes).entries()) {
    const end = constantInts(ends)[at]!;
    const size = x!.dims[axis]!;
    chosen[axis] = { start: constantInts(starts)[at]!, end: Math.min(end, size), step: constantInts(steps)[at] ?? 1 };
  }
  const dims = chosen.map(({ start, end, step }) => Math.ceil((end - start) / step));
  return make(
    dims,
    (index) =>
      x!.data[
        offsetOf(
          x!.dims,
          index.map((p, a) => chosen[a]!.start + p * chosen[a]!.step),
        )
      ]!,
  );
};

const pad: Operator = (_, [x, amounts]) => {
  const rank = x!.dims.length;
  const [begin, end] = [constantInts(amounts).slice(0, rank), constantInts(amounts).slice(rank)];
  return make(
    x!.dims.map((size, axis) => size + begin[axis]! + end[axis]!),
    (index) => {
      const from = index.map((place, axis) => place - begin[axis]!);
      return from.every((place, axis) => place >= 0 && place < x!.dims[axis]!) ? x!.data[offsetOf(x!.dims, from)]! : 0;
    },
  );
};

const split: Operator = (node, [x, sizes]) => {
  const axis = intOf(node, 'axis', 0);
  let start = 0;
  return constantInts(sizes).map((size) => {
    const from = start;
    start += size;
    return make(
      x!.dims.with(axis, size),
      (index) => x!.data[offsetOf(x!.dims, index.with(axis, index[axis]! + from))]!,
    );
  });
};

const concat: Operator = (node, inputs) => {
  const axis = intOf(node, 'axis', 1);
  const total = inputs.reduce((sum, input) => sum + input!.dims[axis]!, 0);
  return make(inputs[0]!.dims.with(axis, total), (index) => {
    let place = index[axis]!;
    for (const input of inputs) {
      if (place < input!.dims[axis]!) return input!.data[offsetOf(input!.dims, index.with(axis, place))]!;
      place -= input!.dims[axis]!;
    }
    throw new RangeError('outside');
  });
};

const reshaped = (x: Value, dims: readonly number[]): Value => ({ dims, data: x.data });

const softmax: Operator = (node, [x]) => {
  const axis = (intOf(node, 'axis', -1) + x!.dims.length) % x!.dims.length;
  const sums = make(x!.dims.with(axis, 1), () => 0);
  const at = (index: readonly number[]): number => offsetOf(sums.dims, index.with(axis, 0));
  eachIndex(x!.dims, (index, place) => {
    sums.data[at(index)]! += Math.exp(x!.data[place]!);
  });
  return make(x!.dims, (index, place) => Math.exp(x!.data[place]!) / sums.data[at(index)]!);
};

const mean: Operator = (node, [x]) => {
  const axes = intsOf(node, 'axes')!;
  const kept = make(
    x!.dims.map((size, axis) => (axes.includes(axis) ? 1 : size)),
    () => 0,
  );
  const count = axes.reduce((product, axis) => product * x!.dims[axis]!, 1);
  eachIndex(x!.dims, (index, place) => {
    kept.data[
      offsetOf(
        kept.dims,
        index.map((p, axis) => (axes.includes(axis) ? 0 : p)),
      )
    ]! += x!.data[place]! / count;
  });
  const isKept = intOf(node, 'keepdims', 1) === 1;
  return isKept
    ? kept
    : reshaped(
        kept,
        x!.dims.filter((_, axis) => !axes.includes(axis)),
      );
};

const hard = (x: number): number => Math.min(1, Math.max(0, x / 6 + 0.5));
const normal = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2));

const OPERATORS: Readonly<Record<string, Operator>> = {
  ...{ Conv: convolve, ConvTranspose: convolveTransposed, Gemm: gemm, MatMul: multiply, Softmax: softmax },
  ...{ Add: both((a, b) => a + b), Sub: both((a, b) => a - b), Mul: both((a, b) => a * b), Div: both((a, b) => a / b) },
  PRelu: both((x, slope) => (x > 0 ? x : slope * x)),
  ...{ Relu: each((x) => Math.max(x, 0)), Sigmoid: each((x) => 1 / (1 + Math.exp(-x))), Tanh: each(Math.tanh) },
  ...{ Erf: each(erf), Sqrt: each(Math.sqrt), HardSwish: each((x) => x * hard(x)), Gelu: each((x) => x * normal(x)) },
  LeakyRelu: each((x, node) => (x > 0 ? x : floatOf(node, 'alpha', 0.01) * x)),
  HardSigmoid: each((x, node) => Math.min(1, Math.max(0, floatOf(node, 'alpha', 0.2) * x + 0.5))),
  Clip: (_, [x, low, high]) =>
    make(x!.dims, (__, at) => Math.min(high!.data[0]!, Math.max(low!.data[0]!, x!.data[at]!))),
  BatchNormalization: (node, [x, gamma, beta]) => normalize(node, x!, gamma!, beta!, (axis) => axis !== 1),
  InstanceNormalization: (node, [x, gamma, beta]) => normalize(node, x!, gamma!, beta!, (axis) => axis > 1),
  LayerNormalization: (node, [x, gamma, beta]) =>
    normalize(node, x!, gamma!, beta ?? null, (axis) => axis === x!.dims.length - 1),
  AveragePool: pool(
    0,
    (sum, x) => sum + x,
    (sum, area) => sum / area,
  ),
  MaxPool: pool(Number.NEGATIVE_INFINITY, Math.max, (most) => most),
  GlobalAveragePool: (_, [x]) => {
    const [n, c] = x!.dims as [number, number];
    const area = sizeOf(x!.dims) / (n * c);
    return make(
      [n, c, 1, 1],
      (__, at) => x!.data.slice(at * area, (at + 1) * area).reduce((sum, v) => sum + v, 0) / area,
    );
  },
  ReduceMean: mean,
  Flatten: (_, [x]) => reshaped(x!, [x!.dims[0]!, sizeOf(x!.dims) / x!.dims[0]!]),
  Reshape: (_, [x, shape]) => {
    const dims = constantInts(shape).map((size, at) => (size === 0 ? x!.dims[at]! : size));
    const free = dims.indexOf(-1);
    return reshaped(x!, free < 0 ? dims : dims.with(free, -sizeOf(x!.dims) / sizeOf(dims)));
  },
  Transpose: (node, [x]) => turn(x!, intsOf(node, 'perm')!),
  Squeeze: (_, [x, axes]) =>
    reshaped(
      x!,
      x!.dims.filter((__, axis) => !constantInts(axes).includes(axis)),
    ),
  Gather: (node, [x, places]) => {
    const axis = intOf(node, 'axis', 0);
    const chosen = constantInts(places);
    return make(
      x!.dims.with(axis, chosen.length),
      (index) => x!.data[offsetOf(x!.dims, index.with(axis, chosen[index[axis]!]!))]!,
    );
  },
  ...{ Slice: slice, Pad: pad, Split: split, Concat: concat },
};

/** Every value of a graph for one input, in float64. @param moved weights that replace the graph's own */
export function evaluate(graph: Graph, input: Value, moved: ReadonlyMap<string, Value>): Map<string, Value> {
  const values = new Map<string, Value>([[graph.inputs[0]!.name, input], ...moved]);
  const known = (name: string): Value | null => {
    if (!name) return null;
    const made = values.get(name);
    if (made) return made;
    const tensor = graph.constants.get(name)!;
    return { dims: tensor.dims, data: Float64Array.from(numbersOf(tensor)) };
  };
  for (const node of graph.nodes) {
    const made = OPERATORS[node.opType]!(node, node.inputs.map(known));
    for (const [at, output] of [made].flat().entries()) values.set(node.outputs[at]!, output);
  }
  return values;
}
