/**
 * The tape that a training graph is written on: every value has a static shape, constants and repeated work are shared.
 * Rules write the forward pass first and the backward pass after it, onto the same tape.
 */
import { type AttributeValue, attributesFrom } from '../onnx/attributes.js';
import type { NodeDraft } from '../onnx/node.js';
import { elementCount, floatTensor, int64Tensor, type Tensor } from '../onnx/tensor.js';

/** The name of a value. */
export type Ref = string;
export type Dims = readonly number[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

export const MICROSOFT = 'com.microsoft';
/** A constant of at most so many elements is shared by its value. */
const SHARED_ELEMENTS_MAX = 64;

export class Tape {
  readonly nodes: NodeDraft[] = [];
  readonly constants = new Map<string, Tensor>();
  private readonly shapes = new Map<Ref, Dims>();
  private readonly made = new Map<string, Ref>();
  private count = 0;

  /** @param block channels in a block of the runtime's blocked layout; 1 when it has none */
  constructor(readonly block: number) {}

  shape(value: Ref): Dims {
    const found = this.shapes.get(value);
    if (!found) throw new Error(`${value} is not on the tape`);
    return found;
  }

  /** Puts a value that comes from outside onto the tape. */
  declare(name: Ref, dims: Dims): Ref {
    this.shapes.set(name, dims);
    return name;
  }

  constant(tensor: Tensor): Ref {
    const { type, dims, bytes } = tensor;
    const put = (): Ref => {
      const name = `constant_${this.count++}`;
      this.constants.set(name, tensor);
      return this.declare(name, dims);
    };
    return elementCount(dims) > SHARED_ELEMENTS_MAX ? put() : this.once(`${type} ${dims} ${bytes}`, put);
  }

  float(value: number): Ref {
    return this.constant(floatTensor([], Float32Array.of(value)));
  }

  filled(dims: Dims, value: number): Ref {
    return this.once(`filled ${dims} ${value}`, () =>
      this.constant(floatTensor(dims, new Float32Array(elementCount(dims)).fill(value))),
    );
  }

  ints(values: Dims): Ref {
    return this.constant(int64Tensor([values.length], values));
  }

  /** The value made under this key before, or a new one. */
  once(key: string, make: () => Ref): Ref {
    const found = this.made.get(key) ?? make();
    this.made.set(key, found);
    return found;
  }

  emit(opType: string, inputs: readonly Ref[], dims: Dims, attributes: Attributes = {}, domain = ''): Ref {
    return this.emitAll(opType, inputs, [dims], attributes, domain)[0]!;
  }

  /** A node with several outputs of these shapes. */
  emitAll(
    opType: string,
    inputs: readonly Ref[],
    shapes: readonly Dims[],
    attributes: Attributes = {},
    domain = '',
  ): Ref[] {
    const name = `${opType}_${this.count++}`;
    const outputs = shapes.map((dims, at) => this.declare(`${name}/${at}`, dims));
    this.nodes.push({ opType, inputs, outputs, name, domain, attributes: attributesFrom(attributes) });
    return outputs;
  }

  /** An operator that keeps the shape of its first input. */
  unary(opType: string, x: Ref, attributes: Attributes = {}): Ref {
    return this.emit(opType, [x], this.shape(x), attributes);
  }

  add(a: Ref, b: Ref): Ref {
    return this.binary('Add', a, b);
  }
  sub(a: Ref, b: Ref): Ref {
    return this.binary('Sub', a, b);
  }
  mul(a: Ref, b: Ref): Ref {
    return this.binary('Mul', a, b);
  }
  div(a: Ref, b: Ref): Ref {
    return this.binary('Div', a, b);
  }
  scale(x: Ref, factor: number): Ref {
    return factor === 1 ? x : this.mul(x, this.float(factor));
  }

  reshape(x: Ref, dims: Dims): Ref {
    const [size, wanted] = [elementCount(this.shape(x)), elementCount(dims)];
    if (size !== wanted) throw new Error(`${x} [${this.shape(x)}] has not the elements of [${dims}]`);
    return this.emit('Reshape', [x, this.ints(dims)], dims);
  }

  transpose(x: Ref, perm: Dims): Ref {
    const dims = this.shape(x);
    return this.emit(
      'Transpose',
      [x],
      perm.map((axis) => dims[axis]!),
      { perm },
    );
  }

  /** Sum over axes, which go away. */
  sum(x: Ref, axes: Dims): Ref {
    const dims = this.shape(x).filter((_, axis) => !axes.includes(axis));
    return this.emit('ReduceSum', [x, this.ints(axes)], dims, { keepdims: 0 });
  }

  /** [N, C, spatial...] to [C]: spatial axes first, which is several times faster than all at once. */
  sumChannels(x: Ref): Ref {
    const rank = this.shape(x).length;
    const spatial = Array.from({ length: rank - 2 }, (_, at) => at + 2);
    return this.sum(spatial.length > 0 ? this.sum(x, spatial) : x, [0]);
  }

  /** Pads, or crops where a number is negative. */
  pad(x: Ref, begin: Dims, end: Dims, value = 0): Ref {
    if (![...begin, ...end].some((amount) => amount !== 0)) return x;
    const dims = this.shape(x).map((size, axis) => size + begin[axis]! + end[axis]!);
    const fill = value === 0 ? [] : [this.float(value)];
    return this.emit('Pad', [x, this.ints([...begin, ...end]), ...fill], dims);
  }

  /** The half-open range from `start` to `end` of some axes, each step-th element. */
  slice(x: Ref, axes: Dims, start: Dims, end: Dims, steps: Dims = axes.map(() => 1)): Ref {
    const dims = [...this.shape(x)];
    for (const [at, axis] of axes.entries()) dims[axis] = Math.ceil((end[at]! - start[at]!) / steps[at]!);
    return this.emit('Slice', [x, this.ints(start), this.ints(end), this.ints(axes), this.ints(steps)], dims);
  }

  /** Both spatial axes of [.., .., H, W] the other way round. */
  flip(x: Ref): Ref {
    const [start, beyond, axes] = [
      [-1, -1],
      [-(2 ** 31), -(2 ** 31)],
      [2, 3],
    ];
    const inputs = [x, this.ints(start), this.ints(beyond), this.ints(axes), this.ints(start)];
    return this.emit('Slice', inputs, this.shape(x));
  }

  /** 1 where x > 0, else 0: a HardSigmoid as steep as floats allow is vectorised, Sign and Where are not. */
  step(x: Ref): Ref {
    return this.unary('HardSigmoid', x, { alpha: { float: 1e30 }, beta: { float: 0 } });
  }

  /** The gradient of a broadcast operand: summed over the axes along which it was repeated. */
  unbroadcast(gradient: Ref, dims: Dims): Ref {
    const wide = this.shape(gradient);
    const lead = wide.length - dims.length;
    const axes = wide.flatMap((size, axis) => (axis < lead || (dims[axis - lead] === 1 && size !== 1) ? [axis] : []));
    return axes.length > 0 ? this.reshape(this.sum(gradient, axes), dims) : gradient;
  }

  private binary(opType: string, a: Ref, b: Ref): Ref {
    const [left, right] = [this.shape(a), this.shape(b)];
    const rank = Math.max(left.length, right.length);
    const from = (dims: Dims, axis: number): number => dims[dims.length - rank + axis] ?? 1;
    const dims = Array.from({ length: rank }, (_, axis) => Math.max(from(left, axis), from(right, axis)));
    return this.emit(opType, [a, b], dims);
  }
}
