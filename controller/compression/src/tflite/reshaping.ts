import { intOf, intsOf, type Node } from '../onnx/node.js';
import { elementCount, numbersOf, Type } from '../onnx/tensor.js';
import { AXIS_IN_NHWC, asInt8, type Handler, type Lowering, permute, type Value } from './lowering.js';
import { concatFields, reshapeFields } from './schema.js';
import { pad as padValue } from './window.js';

/** The shape of a value by its ONNX axes. */
const onnxShape = ({ shape, layout }: Value): number[] =>
  layout === 'nhwc' ? permute(shape, AXIS_IN_NHWC) : [...shape];

/**
 * Reshape, Flatten, Squeeze, Unsqueeze. A flattened image that only matrix products read stays in its order, and their
 * weights follow; for every other reader the axes are put back first.
 */
export const reshape: Handler = (at, node) => {
  const value = at.value(node, 0);
  const from = onnxShape(value);
  const to = shapeOf(at, node, from);
  if (elementCount(to) !== elementCount(from)) at.refuse(node, `[${from}] does not become [${to}]`);
  if (value.image && to.join() !== from.join()) at.refuse(node, 'it reshapes a flattened image');
  const [, channels = 1, height = 1, width = 1] = from;
  // Of an image with one row and column, or one channel, both orders are the same.
  const moves = value.layout === 'nhwc' && height * width > 1 && channels > 1;
  const isRow = to.length === 2 && to[0] === from[0];
  const follows = isRow && moves && onlyProducts(at, node.outputs[0]!);
  const source = moves && !follows ? at.plain(value, node.name) : value;
  const made = at.activation(node.outputs[0]!, to, value.quantization, 'plain');
  const inputs = [source.tensor, at.int32s(`${node.name}/shape`, to)];
  at.emit({ name: 'RESHAPE', inputs, outputs: [made.tensor], fields: reshapeFields(to) });
  const image = follows ? ([channels, height, width] as const) : value.image;
  at.bind(node.outputs[0]!, image ? { ...made, image } : made);
};

/** True when nothing but Gemm and MatMul read a value as their data, through Q/DQ pairs. */
function onlyProducts(at: Lowering, value: string): boolean {
  if (at.graph.isOutput(value)) return false;
  return at.graph.consumers(value).every((reader) => {
    if (/^(De)?[qQ]uantizeLinear$/.test(reader.opType)) return onlyProducts(at, reader.outputs[0]!);
    return (reader.opType === 'Gemm' || reader.opType === 'MatMul') && reader.inputs[0] === value;
  });
}

function shapeOf(at: Lowering, node: Node, from: readonly number[]): number[] {
  const rank = from.length;
  if (node.opType === 'Flatten') {
    const axis = intOf(node, 'axis', 1);
    const split = axis < 0 ? axis + rank : axis;
    return [elementCount(from.slice(0, split)), elementCount(from.slice(split))];
  }
  const given = at.graph.constantOf(node, 1);
  const numbers = given ? numbersOf(given) : intsOf(node, 'axes');
  if (node.opType === 'Reshape') return reshaped(numbers ?? at.refuse(node, 'its shape is not a constant'), from);
  if (node.opType === 'Squeeze') {
    const gone = numbers?.map((axis) => (axis < 0 ? axis + rank : axis));
    return from.filter((size, axis) => (gone ? !gone.includes(axis) : size !== 1));
  }
  const axes = numbers ?? at.refuse(node, 'its axes are not constants');
  const wide = rank + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + wide : axis)));
  const rest = [...from];
  return Array.from({ length: wide }, (_, axis) => (added.has(axis) ? 1 : rest.shift()!));
}

/** 0 keeps a size, -1 takes what is left [ONNX Reshape-14]. */
function reshaped(wanted: readonly number[], from: readonly number[]): number[] {
  const sizes = wanted.map((size, axis) => (size === 0 ? from[axis]! : size));
  const known = elementCount(sizes.filter((size) => size !== -1));
  return sizes.map((size) => (size === -1 ? elementCount(from) / known : size));
}

export const transpose: Handler = (at, node) => {
  const value = at.value(node, 0);
  if (value.image) at.refuse(node, 'it reads a flattened image');
  const rank = value.shape.length;
  const order = intsOf(node, 'perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const lies = value.layout === 'nhwc' ? order.map((axis) => AXIS_IN_NHWC[axis]!) : order;
  at.bind(node.outputs[0]!, at.transpose(value, lies, 'plain', node.name));
};

export const concat: Handler = (at, node) => {
  const quantization = at.outputQuantization(node);
  const found = node.inputs.map((_, input) => at.value(node, input));
  const images = found.some(({ layout }) => layout === 'nhwc');
  const operands = found.map((value, input) => {
    if (value.image) at.refuse(node, 'it reads a flattened image');
    const name = `${node.name}/${input}`;
    return at.requantize(images ? at.nhwc(value, name) : value, quantization, name);
  });
  const rank = operands[0]!.shape.length;
  const given = intOf(node, 'axis', 0);
  const onnxAxis = given < 0 ? given + rank : given;
  const axis = images ? AXIS_IN_NHWC[onnxAxis]! : onnxAxis;
  const shape = operands[0]!.shape.map((size, at) =>
    at === axis ? operands.reduce((sum, one) => sum + one.shape[at]!, 0) : size,
  );
  const output = at.activation(node.outputs[0]!, shape, quantization, images ? 'nhwc' : 'plain');
  const inputs = operands.map(({ tensor }) => tensor);
  at.emit({ name: 'CONCATENATION', inputs, outputs: [output.tensor], fields: concatFields(axis) });
  at.bind(node.outputs[0]!, output);
};

/** Pad with zeros: quantization placed it only where it adds nothing else. */
export const pad: Handler = (at, node) => {
  const value = at.value(node, 0);
  const amounts = at.graph.constantOf(node, 1);
  if (!amounts || node.inputs[3]) return at.refuse(node, 'its pads are not a constant for all axes');
  const mode = new TextDecoder().decode(node.attributes.get('mode')?.s ?? new Uint8Array());
  if (mode !== '' && mode !== 'constant') at.refuse(node, `mode ${mode}`);
  const filler = at.graph.constantOf(node, 2);
  // Of integers, the zero point is 0.
  const zero = filler?.type === Type.FLOAT ? 0 : value.quantization.zero;
  if (node.inputs[2] && (!filler || asInt8(filler)[0] !== zero)) at.refuse(node, 'it pads with something else than 0');
  const sizes = numbersOf(amounts);
  if (value.image || sizes.some((size) => size < 0)) at.refuse(node, 'it cuts, or reads a flattened image');
  const rank = value.shape.length;
  const lies = (list: readonly number[]): number[] =>
    value.layout === 'nhwc' ? [list[0]!, list[2]!, list[3]!, list[1]!] : [...list];
  at.bind(node.outputs[0]!, padValue(at, value, lies(sizes.slice(0, rank)), lies(sizes.slice(rank)), node.name));
};
