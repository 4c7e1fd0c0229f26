/** What the integers of a .tflite mean, written down plainly: sums are exact, results are rounded once. */
import type { ReadModel, ReadOperator, ReadTensor } from './read.ts';

/** What is stored by tensor index, row-major: integers, or floats. */
type Memory = Map<number, Int32Array | Float64Array>;

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** All index tuples of a shape. */
function* indices(shape: readonly number[]): Generator<number[]> {
  for (let flat = 0; flat < count(shape); flat++) {
    let rest = flat;
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    yield index;
  }
}

const at = (shape: readonly number[], index: readonly number[]): number =>
  index.reduce((flat, one, axis) => flat * shape[axis]! + one, 0);

const stored = ({ scales, zeros }: ReadTensor, real: number): number =>
  Math.min(127, Math.max(-128, Math.round(real / scales[0]!) + zeros[0]!));

class Run {
  readonly memory: Memory = new Map();
  readonly model: ReadModel;

  constructor(model: ReadModel) {
    this.model = model;
    for (const [index, { data, type }] of model.tensors.entries()) {
      if (!data) continue;
      const copy = new Uint8Array(data).buffer;
      if (type === 'float32') this.memory.set(index, Float64Array.from(new Float32Array(copy)));
      else this.memory.set(index, Int32Array.from(type === 'int32' ? new Int32Array(copy) : new Int8Array(copy)));
    }
  }
  tensor = (index: number): ReadTensor => this.model.tensors[index]!;
  values(index: number): Int32Array | Float64Array {
    const found = this.memory.get(index);
    if (!found) throw new Error(`${this.tensor(index).name} is read before it is made`);
    return found;
  }
  /** The real number an element stands for, with the scale of its channel. */
  real(index: number, flat: number, channel = 0): number {
    const { scales, zeros, type } = this.tensor(index);
    if (type === 'float32') return this.values(index)[flat]!;
    const one = scales.length > 1 ? channel : 0;
    return (this.values(index)[flat]! - zeros[one]!) * scales[one]!;
  }
  /** Makes a tensor from the real number of each index. */
  make(index: number, real: (index: number[]) => number): void {
    const tensor = this.tensor(index);
    const all = Float64Array.from(indices(tensor.shape), real);
    this.memory.set(index, tensor.type === 'float32' ? all : Int32Array.from(all, (one) => stored(tensor, one)));
  }
}

/** Where the first window starts: SAME splits its padding with the odd element at the end. */
function begin(padding: number, size: number, output: number, stride: number, reach: number): number {
  return padding === 1 ? 0 : -Math.floor(Math.max((output - 1) * stride + reach - size, 0) / 2);
}

/** Visits the positions of an image under the window that makes an output position. */
function window(
  { options }: ReadOperator,
  [image, output]: [number[], number[]],
  [kernelHeight, kernelWidth]: [number, number],
  [dilationHeight, dilationWidth]: [number, number],
  [, y, x]: number[],
  visit: (ky: number, kx: number, iy: number, ix: number) => void,
): void {
  const [padding, strideWidth, strideHeight] = [options!.int8(0), options!.int32(1), options!.int32(2)];
  const top = begin(padding, image[1]!, output[1]!, strideHeight, (kernelHeight - 1) * dilationHeight + 1);
  const left = begin(padding, image[2]!, output[2]!, strideWidth, (kernelWidth - 1) * dilationWidth + 1);
  for (let ky = 0; ky < kernelHeight; ky++) {
    for (let kx = 0; kx < kernelWidth; kx++) {
      const [iy, ix] = [y! * strideHeight + top + ky * dilationHeight, x! * strideWidth + left + kx * dilationWidth];
      if (iy >= 0 && ix >= 0 && iy < image[1]! && ix < image[2]!) visit(ky, kx, iy, ix);
    }
  }
}

function convolve(run: Run, operator: ReadOperator, depthwise: boolean): void {
  const [image, weight, bias] = operator.inputs as [number, number, number];
  const [output] = operator.outputs as [number];
  const shapes = [image, weight, output].map((one) => run.tensor(one).shape) as [number[], number[], number[]];
  const [, height, width] = shapes[1] as [number, number, number];
  const slot = depthwise ? 5 : 4;
  const dilations: [number, number] = [operator.options!.int32(slot + 1), operator.options!.int32(slot)];
  run.make(output, (index) => {
    const o = index[3]!;
    let sum = run.real(bias, o, o);
    window(operator, [shapes[0], shapes[2]], [height, width], dilations, index, (ky, kx, iy, ix) => {
      const channels = depthwise ? [Math.floor(o / operator.options!.int32(3))] : [...new Array(shapes[0][3]).keys()];
      for (const c of channels) {
        const flat = at(shapes[1], depthwise ? [0, ky, kx, o] : [o, ky, kx, c]);
        sum += run.real(image, at(shapes[0], [index[0]!, iy, ix, c]), 0) * run.real(weight, flat, o);
      }
    });
    return sum;
  });
}

function pool(run: Run, operator: ReadOperator, isMax: boolean): void {
  const [[image], [output], options] = [operator.inputs as [number], operator.outputs as [number], operator.options!];
  const [from, to] = [run.tensor(image).shape, run.tensor(output).shape];
  run.make(output, (index) => {
    const seen: number[] = [];
    window(operator, [from, to], [options.int32(4), options.int32(3)], [1, 1], index, (_ky, _kx, iy, ix) => {
      seen.push(run.real(image, at(from, [index[0]!, iy, ix, index[3]!])));
    });
    return isMax ? Math.max(...seen) : seen.reduce((sum, one) => sum + one, 0) / seen.length;
  });
}

/** The element of an operand that an index of the result reads, with broadcasting. */
const spread = (run: Run, operand: number, index: readonly number[]): number => {
  const { shape } = run.tensor(operand);
  return run.real(
    operand,
    at(
      shape,
      index.map((one, axis) => (shape[axis] === 1 ? 0 : one)),
    ),
  );
};

const copy = (run: Run, { inputs, outputs }: ReadOperator): void => {
  run.memory.set(outputs[0]!, run.values(inputs[0]!).slice());
};
const each =
  (real: (x: number) => number) =>
  (run: Run, { inputs, outputs }: ReadOperator): void => {
    run.make(outputs[0]!, (index) => real(spread(run, inputs[0]!, index)));
  };
const pairwise =
  (real: (a: number, b: number) => number) =>
  (run: Run, { inputs, outputs }: ReadOperator): void => {
    run.make(outputs[0]!, (index) => real(spread(run, inputs[0]!, index), spread(run, inputs[1]!, index)));
  };

const KERNELS: Record<ReadOperator['name'], (run: Run, operator: ReadOperator) => void> = {
  ADD: pairwise((a, b) => a + b),
  AVERAGE_POOL_2D: (run, operator) => pool(run, operator, false),
  CONCATENATION(run, { inputs, outputs, options }) {
    const axis = options!.int32(0);
    run.make(outputs[0]!, (index) => {
      let place = index[axis]!;
      const source = inputs.find((one) => {
        const size = run.tensor(one).shape[axis]!;
        if (place < size) return true;
        place -= size;
        return false;
      })!;
      return spread(
        run,
        source,
        index.map((one, i) => (i === axis ? place : one)),
      );
    });
  },
  CONV_2D: (run, operator) => convolve(run, operator, false),
  DEQUANTIZE: each((x) => x),
  DEPTHWISE_CONV_2D: (run, operator) => convolve(run, operator, true),
  FULLY_CONNECTED(run, { inputs, outputs }) {
    const [row, weight, bias] = inputs as [number, number, number];
    const width = run.tensor(weight).shape[1]!;
    run.make(outputs[0]!, ([n, o]) => {
      let sum = run.real(bias, o!, o!);
      for (let i = 0; i < width; i++) sum += run.real(row, n! * width + i) * run.real(weight, o! * width + i, o!);
      return sum;
    });
  },
  HARD_SWISH: each((x) => (x * Math.min(6, Math.max(0, x + 3))) / 6),
  LOGISTIC: each((x) => 1 / (1 + Math.exp(-x))),
  MAX_POOL_2D: (run, operator) => pool(run, operator, true),
  MEAN(run, { inputs, outputs }) {
    const { shape } = run.tensor(inputs[0]!);
    run.make(outputs[0]!, ([n, , , c]) => {
      let sum = 0;
      for (const [y, x] of indices([shape[1]!, shape[2]!])) sum += run.real(inputs[0]!, at(shape, [n!, y!, x!, c!]));
      return sum / (shape[1]! * shape[2]!);
    });
  },
  MUL: pairwise((a, b) => a * b),
  PAD(run, { inputs, outputs }) {
    const [from, amounts] = [run.tensor(inputs[0]!).shape, run.values(inputs[1]!)];
    run.make(outputs[0]!, (index) => {
      const inside = index.map((one, axis) => one - amounts[2 * axis]!);
      const out = inside.some((one, axis) => one < 0 || one >= from[axis]!);
      return out ? 0 : run.real(inputs[0]!, at(from, inside));
    });
  },
  QUANTIZE: each((x) => x),
  RELU: each((x) => Math.max(0, x)),
  RESHAPE: copy,
  SOFTMAX(run, { inputs, outputs }) {
    const { shape } = run.tensor(inputs[0]!);
    const last = shape.at(-1)!;
    run.make(outputs[0]!, (index) => {
      const row = Array.from({ length: last }, (_, c) => run.real(inputs[0]!, at(shape, [...index.slice(0, -1), c])));
      const most = Math.max(...row);
      const powers = row.map((x) => Math.exp(x - most));
      return powers[index.at(-1)!]! / powers.reduce((sum, one) => sum + one, 0);
    });
  },
  TRANSPOSE(run, { inputs, outputs }) {
    const [from, order] = [run.tensor(inputs[0]!).shape, [...run.values(inputs[1]!)]];
    run.make(outputs[0]!, (index) =>
      run.real(
        inputs[0]!,
        at(
          from,
          from.map((_, axis) => index[order.indexOf(axis)]!),
        ),
      ),
    );
  },
};

/** Real outputs, in the order of the model's, for real inputs in the tensors' own layout. */
export function interpret(model: ReadModel, inputs: readonly Float32Array[]): number[][] {
  const run = new Run(model);
  for (const [at, index] of model.inputs.entries()) {
    const given = Float64Array.from(inputs[at]!);
    const tensor = run.tensor(index);
    run.memory.set(index, tensor.type === 'float32' ? given : Int32Array.from(given, (real) => stored(tensor, real)));
  }
  for (const operator of model.operators) KERNELS[operator.name](run, operator);
  return model.outputs.map((index) => Array.from(run.values(index), (_, flat) => run.real(index, flat)));
}
