import { intOf, intsOf, type Node } from '../onnx/node.js';
import { numbersOf } from '../onnx/tensor.js';
import type { Handler, Lowering, Value } from './lowering.js';
import { keepDims, poolFields } from './schema.js';
import { slide } from './window.js';

/** The lowest int8: a zero point there makes real 0 the least value, so that padding with it changes no maximum. */
const LOWEST = -128;

/** A pool keeps the parameters of its input; the QuantizeLinear behind it may still change them. */
function pool(
  at: Lowering,
  node: Node,
  name: 'AVERAGE_POOL_2D' | 'MAX_POOL_2D',
  mayPad: (image: Value) => boolean,
): void {
  const image = at.nhwc(at.value(node, 0), node.name);
  const flat = () => at.refuse(node, 'it is not two-dimensional');
  const [height = flat(), width = flat(), ...more] = intsOf(node, 'kernel_shape') ?? [];
  if (more.length > 0) flat();
  const { input, shape, fields } = slide(at, node, image, image.shape[3]!, [height, width], mayPad(image));
  if (fields.dilations.some((step) => step !== 1)) at.refuse(node, 'it is dilated');
  const output = at.activation(node.outputs[0]!, shape, image.quantization, 'nhwc');
  at.emit({ name, inputs: [input.tensor], outputs: [output.tensor], fields: poolFields(fields, [height, width]) });
  at.bind(node.outputs[0]!, output);
}

export const maxPool: Handler = (at, node) => {
  pool(at, node, 'MAX_POOL_2D', ({ quantization }) => quantization.zero === LOWEST);
};

/** SAME divides by the elements inside the image [ONNX AveragePool-11, count_include_pad = 0]. */
export const averagePool: Handler = (at, node) => {
  const padded = intsOf(node, 'pads')?.some((size) => size !== 0) ?? false;
  if (padded && intOf(node, 'count_include_pad', 0) !== 0) at.refuse(node, 'it counts its padding');
  pool(at, node, 'AVERAGE_POOL_2D', () => false);
};

/** GlobalAveragePool, and ReduceMean over the image: MEAN over height and width. */
export const mean: Handler = (at, node) => {
  const image = at.nhwc(at.value(node, 0), node.name);
  if (image.shape.length !== 4) at.refuse(node, 'it is not two-dimensional');
  if (node.opType === 'ReduceMean') {
    const axes = intsOf(node, 'axes') ?? numbersOfInput(at, node, 1) ?? [];
    const found = axes.map((axis) => (axis < 0 ? axis + 4 : axis)).sort();
    if (found.join() !== '2,3' || intOf(node, 'keepdims', 1) !== 1) at.refuse(node, 'it is not over height and width');
  }
  const shape = [image.shape[0]!, 1, 1, image.shape[3]!];
  const output = at.activation(node.outputs[0]!, shape, at.outputQuantization(node), 'nhwc');
  const inputs = [image.tensor, at.int32s(`${node.name}/axes`, [1, 2])];
  at.emit({ name: 'MEAN', inputs, outputs: [output.tensor], fields: keepDims });
  at.bind(node.outputs[0]!, output);
};

function numbersOfInput(at: Lowering, node: Node, input: number): number[] | null {
  const tensor = at.graph.constantOf(node, input);
  return tensor ? numbersOf(tensor) : null;
}
