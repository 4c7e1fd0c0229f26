import { intOf, type Node } from '../onnx/node.js';
import { bytesOf } from '../onnx/tensor.js';
import { type Constant, type Handler, type Lowering, permute, TO_NHWC, type Value } from './lowering.js';
import { type OperatorName, softmaxFields } from './schema.js';

/** Scale and zero point that LiteRT's kernels give these results, whatever the model says. */
const UNIT = { scale: 1 / 256, zero: -128 };

/** Add and Mul, with broadcasting and constant operands. */
export const binary =
  (name: 'ADD' | 'MUL'): Handler =>
  (at, node) => {
    const known = node.inputs.map((value) => at.find(value));
    const rank = Math.max(...node.inputs.map((_, input) => known[input]?.shape.length ?? rankOf(at, node, input)));
    const images = rank === 4 && known.some((value) => value?.layout === 'nhwc');
    const operands = node.inputs.map((_, input) => operand(at, node, input, rank, images));
    const shape = operands.reduce<readonly number[]>(
      (sofar, { shape: next }) => next.map((size, axis) => Math.max(size, sofar[axis] ?? 1)),
      [],
    );
    const output = at.activation(node.outputs[0]!, shape, at.outputQuantization(node), images ? 'nhwc' : 'plain');
    const inputs = operands.map(({ tensor }) => tensor);
    at.emit({ name, inputs, outputs: [output.tensor], fields: [] });
    at.bind(node.outputs[0]!, output);
  };

const rankOf = (at: Lowering, node: Node, input: number): number => at.constant(node, input)?.dims.length ?? 0;

/** An operand with the layout of its partner. */
function operand(
  at: Lowering,
  node: Node,
  input: number,
  rank: number,
  images: boolean,
): Pick<Value, 'tensor' | 'shape'> {
  const constant = at.constant(node, input);
  if (constant) return constantOperand(at, node, constant, rank, images);
  const value = at.value(node, input);
  if (value.shape.length !== rank) at.refuse(node, 'its operands have different ranks');
  if (value.image) at.refuse(node, 'it reads a flattened image');
  return images ? at.nhwc(value, `${node.name}/${input}`) : value;
}

function constantOperand(at: Lowering, node: Node, constant: Constant, rank: number, images: boolean) {
  const { values, scales, zeros } = constant;
  if (scales.length !== 1) at.refuse(node, 'its constant has a scale a channel');
  const dims = [...new Array<number>(rank - constant.dims.length).fill(1), ...constant.dims];
  const shape = images ? permute(dims, TO_NHWC) : dims;
  // At most one axis beside the others of size 1 keeps its order when axes are permuted.
  if (images && dims.filter((size) => size > 1).length > 1) at.refuse(node, 'its constant has more than one axis');
  const data = bytesOf(Int8Array.from(values));
  const quantization = { scales, zeros, axis: 0 };
  return { tensor: at.add({ name: `${node.name}/constant`, shape, type: 'int8', data, quantization }), shape };
}

/** One operand, same shape, own parameters for the result. */
export const unary =
  (name: 'HARD_SWISH' | 'RELU'): Handler =>
  (at, node) => {
    make(at, node, name, at.value(node, 0), at.outputQuantization(node));
  };

/** The kernel's own range, requantized when the model wants another. */
export const logistic: Handler = (at, node) => {
  const made = make(at, node, 'LOGISTIC', at.value(node, 0), UNIT);
  at.bind(node.outputs[0]!, at.requantize(made, at.outputQuantization(node), node.name));
};

export const softmax: Handler = (at, node) => {
  const value = at.value(node, 0);
  const rank = value.shape.length;
  const axis = intOf(node, 'axis', -1);
  const last = value.layout === 'nhwc' ? 1 : rank - 1;
  if ((axis < 0 ? axis + rank : axis) !== last) at.refuse(node, `it is over axis ${axis}, which is not the last`);
  if (value.image) at.refuse(node, 'it reads a flattened image');
  const made = make(at, node, 'SOFTMAX', value, UNIT);
  at.bind(node.outputs[0]!, at.requantize(made, at.outputQuantization(node), node.name));
};

function make(at: Lowering, node: Node, name: OperatorName, value: Value, quantization: Value['quantization']): Value {
  const made = at.activation(node.outputs[0]!, value.shape, quantization, value.layout);
  const output = value.image ? { ...made, image: value.image } : made;
  const fields = name === 'SOFTMAX' ? softmaxFields : [];
  at.emit({ name, inputs: [value.tensor], outputs: [output.tensor], fields });
  at.bind(node.outputs[0]!, output);
  return output;
}
