import { floatOf, intOf, type Node } from '../onnx/node.js';
import { bytesOf } from '../onnx/tensor.js';
import type { Constant, Handler, Lowering, Value } from './lowering.js';
import type { TfliteTensor } from './model.js';
import { convFields, depthwiseFields, PER_CHANNEL_FULLY_CONNECTED } from './schema.js';
import { slide } from './window.js';

/** OIHW to OHWI for CONV_2D, to 1HWO for DEPTHWISE_CONV_2D. */
export const conv: Handler = (at, node) => {
  const weights = weightsOf(at, node);
  const image = at.nhwc(at.value(node, 0), node.name);
  if (weights.dims.length !== 4) at.refuse(node, 'it is not two-dimensional');
  const [outputs, perGroup, height, width] = weights.dims as [number, number, number, number];
  const group = intOf(node, 'group', 1);
  const depthwise = group > 1;
  if (depthwise && perGroup !== 1) at.refuse(node, `it has ${group} groups of ${perGroup} channels`);
  const { input, shape, fields } = slide(at, node, image, outputs, [height, width], true);
  const order: Order = depthwise
    ? ([o, , y, x]) => (y * width + x) * outputs + o
    : ([o, i, y, x]) => ((o * height + y) * width + x) * perGroup + i;
  const dims = depthwise ? [1, height, width, outputs] : [outputs, height, width, perGroup];
  const weight = at.add(weightTensor(node, weights, dims, depthwise ? 3 : 0, rearrange(weights, order)));
  const output = at.activation(node.outputs[0]!, shape, at.outputQuantization(node), 'nhwc');
  at.emit({
    name: depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D',
    inputs: [input.tensor, weight, biasOf(at, node, outputs, image, weights)],
    outputs: [output.tensor],
    fields: depthwise ? depthwiseFields(fields, outputs / group) : convFields(fields),
  });
  at.bind(node.outputs[0]!, output);
};

/** Gemm and MatMul with constant weights. */
export const fullyConnected: Handler = (at, node) => {
  const row = at.value(node, 0);
  const { weight, outputs, scales, weights } = weightsAsRows(at, node, row);
  const output = at.activation(node.outputs[0]!, [row.shape[0]!, outputs], at.outputQuantization(node), 'plain');
  at.emit({
    name: 'FULLY_CONNECTED',
    inputs: [row.tensor, weight, biasOf(at, node, outputs, row, weights)],
    outputs: [output.tensor],
    fields: [],
    ...(scales > 1 ? { version: PER_CHANNEL_FULLY_CONNECTED } : {}),
  });
  at.bind(node.outputs[0]!, output);
};

/** The weights of a Gemm or MatMul, a row for each output. Columns follow the order in which a flattened image lies in memory. */
export function weightsAsRows(at: Lowering, node: Node, row: Value) {
  const weights = weightsOf(at, node);
  const isGemm = node.opType === 'Gemm';
  if (isGemm && (floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1 || intOf(node, 'transA', 0) !== 0)) {
    at.refuse(node, 'alpha, beta or transA');
  }
  if (row.shape.length !== 2 || weights.dims.length !== 2) at.refuse(node, 'its operands are not matrices');
  const transposed = isGemm && intOf(node, 'transB', 0) === 1;
  const [first, second] = weights.dims as [number, number];
  const [outputs, inputs] = transposed ? [first, second] : [second, first];
  const [channels, height, width] = row.image ?? [inputs, 1, 1];
  const column = (at: number): number => {
    const [c, y, x] = [Math.floor(at / (height * width)), Math.floor(at / width) % height, at % width];
    return (y * width + x) * channels + c;
  };
  const order: Order = transposed ? ([o, i]) => o * inputs + column(i) : ([i, o]) => o * inputs + column(i);
  const weight = at.add(weightTensor(node, weights, [outputs, inputs], 0, rearrange(weights, order)));
  return { weight, outputs, scales: weights.scales.length, weights };
}

function weightsOf(at: Lowering, node: Node): Constant {
  const weights = at.constant(node, 1) ?? at.refuse(node, 'its weights are not quantized constants');
  if (weights.zeros.some((zero) => zero !== 0)) at.refuse(node, 'its weights have a zero point');
  return weights;
}

/** Where an element goes, by its indices on up to four axes. */
type Order = (index: readonly [number, number, number, number]) => number;

function rearrange({ values, dims }: Constant, order: Order): Int8Array {
  const [, b = 1, c = 1, d = 1] = dims;
  const moved = new Int8Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const index = [Math.floor(at / (b * c * d)), Math.floor(at / (c * d)) % b, Math.floor(at / d) % c, at % d] as const;
    moved[order(index)] = values[at]!;
  }
  return moved;
}

const weightTensor = (
  node: Node,
  { scales, zeros }: Constant,
  shape: readonly number[],
  axis: number,
  values: Int8Array,
): TfliteTensor => ({
  name: `${node.name}/weight`,
  shape,
  type: 'int8',
  data: bytesOf(values),
  quantization: { scales, zeros, axis: scales.length > 1 ? axis : 0 },
});

/** int32 at input scale * weight scale. Zeros where the node has none: not every kernel takes none. */
function biasOf(at: Lowering, node: Node, channels: number, input: Value, weights: Constant): number {
  const given = node.inputs[2] ? at.constant(node, 2) : undefined;
  if (node.inputs[2] && !given) at.refuse(node, 'its bias is not a quantized constant');
  const scales = weights.scales.map((scale) => Math.fround(scale * input.quantization.scale));
  return at.add({
    name: `${node.name}/bias`,
    shape: [channels],
    type: 'int32',
    data: bytesOf(given ? Int32Array.from(given.values) : new Int32Array(channels)),
    quantization: { scales, zeros: scales.map(() => 0), axis: 0 },
  });
}
