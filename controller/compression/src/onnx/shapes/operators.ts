import { intOf, intsOf, type Node } from '../node.js';
import { broadcast, type Dim, type Shape } from './shape.js';
import { windowed } from './windows.js';

/** The shape of a node's first output from those of its inputs. */
type Rule = (node: Node, inputs: readonly Shape[]) => Shape;

const sameAsFirst: Rule = (_, [first]) => first ?? null;
const joined: Rule = (_, inputs) => inputs.reduce((shape, next) => broadcast(shape, next) ?? null, inputs[0] ?? null);

const conv: Rule = (node, [x, w]) => (w ? windowed(node, x ?? null, w[0] ?? null, w.slice(2)) : null);
const pool: Rule = (node, [x]) => windowed(node, x ?? null, x?.[1] ?? null, intsOf(node, 'kernel_shape'));
const globalPool: Rule = (_, [x]) => x?.map((dim, axis) => (axis < 2 ? dim : 1)) ?? null;

const gemm: Rule = (node, [a, b]) =>
  a?.length === 2 && b?.length === 2
    ? [a[intOf(node, 'transA', 0) ? 1 : 0]!, b[intOf(node, 'transB', 0) ? 0 : 1]!]
    : null;

/** As numpy.matmul, for operands of two and more axes. */
const matMul: Rule = (_, [a, b]) => {
  if (!a || !b || a.length < 2 || b.length < 2) return null;
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return batch ? [...batch, a.at(-2)!, b.at(-1)!] : null;
};

const product = (dims: readonly Dim[]): Dim =>
  dims.reduce<Dim>((size, dim) => (size === null || dim === null ? null : size * dim), 1);

const flatten: Rule = (node, [x]) => {
  if (!x) return null;
  const axis = intOf(node, 'axis', 1);
  const at = axis < 0 ? axis + x.length : axis;
  return [product(x.slice(0, at)), product(x.slice(at))];
};

const transpose: Rule = (node, [x]) => {
  if (!x) return null;
  const order = intsOf(node, 'perm') ?? x.map((_, at) => x.length - 1 - at);
  return order.length === x.length ? order.map((axis) => x[axis] ?? null) : null;
};

const concat: Rule = (node, inputs) => {
  const [first] = inputs;
  if (!first || inputs.some((shape) => shape?.length !== first.length)) return null;
  const axis = intOf(node, 'axis', 1);
  const along = axis < 0 ? axis + first.length : axis;
  const sizes = inputs.map((shape) => shape![along] ?? null);
  const sum = sizes.reduce<Dim>((total, size) => (total === null || size === null ? null : total + size), 0);
  return first.map((dim, at) => (at === along ? sum : (inputs.find((shape) => shape![at] !== null)?.[at] ?? dim)));
};

const each = (names: string, rule: Rule): [string, Rule][] => names.split(' ').map((name) => [name, rule]);

/** The operators whose output shape is known; the shape of all others is unknown, and said to be. */
export const SHAPE_RULES: ReadonlyMap<string, Rule> = new Map([
  ...each(
    'Abs BatchNormalization Cast Ceil Clip DequantizeLinear Dropout Elu Erf Exp Floor HardSigmoid HardSwish Identity ' +
      'InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax Neg PRelu QuantizeLinear Reciprocal Relu ' +
      'Round Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh ThresholdedRelu',
    sameAsFirst,
  ),
  ...each('Add And Div Equal Greater Less Max Mean Min Mul Or Pow Sub Sum', joined),
  ...each('AveragePool MaxPool', pool),
  ...each('GlobalAveragePool GlobalMaxPool', globalPool),
  ['Conv', conv],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Flatten', flatten],
  ['Transpose', transpose],
  ['Concat', concat],
]);
