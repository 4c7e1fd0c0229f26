import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, type Node } from '../onnx/node.js';
import { elementCount, floatsOf, floatTensor, int8Tensor, int32Tensor } from '../onnx/tensor.js';
import type { Affine } from './affine.js';
import type { Moments } from './moments.js';
import { meanError, roundFilters } from './round.js';
import { keepPairs, type QuantizedWeights, quantizeBias, quantizeWeights } from './weights.js';

/** How the constants of nodes are fitted to the inputs they meet. */
export interface Tuning {
  /** By node name; a node without keeps nearest rounding and its bias. */
  readonly moments: ReadonlyMap<string, Moments>;
  /** The bias takes over the mean error of the weights. */
  readonly bias: boolean;
  /** Weights are rounded for the least error of the outputs, not each to the nearest. */
  readonly round: boolean;
  /** Keeps what was rounded for the builds that come after: with the same scales it is the same. */
  readonly rounded?: RoundedWeights;
}

/** Fitted roundings by node name. */
export type RoundedWeights = Map<
  string,
  { readonly from: Float32Array; readonly scales: Float32Array; readonly values: Int8Array }
>;

export const untuned: Tuning = { moments: new Map(), bias: false, round: false };

/** Where a weight's output channels lie: Conv 0, ConvTranspose and MatMul 1, Gemm 1, or 0 with transB. */
export const channelAxis = (node: Node): number =>
  node.opType === 'Conv' || (node.opType === 'Gemm' && intOf(node, 'transB', 0) === 1) ? 0 : 1;

/** Weights and bias of a weighted operator. Every use gets its own: a shared bias has a scale per use. */
export function quantizeConstants(
  graph: Graph,
  node: Node,
  input: Affine,
  scheme: HardwareProfile['scheme'],
  { moments, bias: corrected, round, rounded }: Tuning,
): QuantizedWeights {
  const { pairSafe } = scheme;
  const perChannel = scheme.perChannel && (scheme.perChannelOperators?.includes(node.opType) ?? true);
  const tensor = graph.constantOf(node, 1)!;
  const axis = channelAxis(node);
  const channels = tensor.dims[axis]!;
  const inner = elementCount(tensor.dims.slice(axis + 1));
  const weights = floatsOf(tensor)!;
  const given = biasOf(graph, node, channels);
  const quantized = quantizeWeights({
    weights,
    channels,
    inner,
    bias: scheme.bias === 'float' ? null : given,
    inputScale: input.scale,
    perChannel,
    pairSafe,
  });
  const { values, scales } = quantized;
  const known = axis === 0 ? moments.get(node.name) : undefined;
  const before = round ? rounded?.get(node.name) : undefined;
  if (before && sameFloats(before.scales, scales) && sameFloats(before.from, weights)) values.set(before.values);
  else if (known && round) {
    const nearest = values.slice();
    roundFilters(values, weights, scales, known);
    if (pairSafe) keepPairs(values, nearest, known.size);
    rounded?.set(node.name, { from: weights, scales, values });
  }
  const shift = known && corrected ? meanError(values, weights, scales, known) : null;
  const bias = shift ? Float32Array.from(shift, (value, channel) => value + (given?.[channel] ?? 0)) : given;
  const layout = { dims: tensor.dims, axis: perChannel ? axis : null, inner };
  if (scheme.weightQuantizer) addQuantizedFloats(graph, node, layout, quantized);
  else addWeights(graph, node, layout, quantized);
  if (bias && scheme.bias === 'float') {
    if (bias !== given) {
      graph.setInput(node, 2, graph.addConstant(`${node.name}/bias`, floatTensor([channels], bias)));
    }
  } else if (bias) {
    const steps = scales.map((scale) => scale * input.scale);
    addBias(graph, node, quantizeBias(bias, input.scale, scales), steps);
  }
  return quantized;
}

const sameFloats = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, at) => value === b[at]);

interface WeightLayout {
  readonly dims: readonly number[];
  /** Where the output channels lie; null with one scale a tensor. */
  readonly axis: number | null;
  /** Elements from one output channel to the next. */
  readonly inner: number;
}

/** Weights as float behind Q and DQ. The floats lie on the grid, so that Q gives exactly the integers. */
function addQuantizedFloats(
  graph: Graph,
  node: Node,
  { dims, axis, inner }: WeightLayout,
  { values, scales }: QuantizedWeights,
): void {
  const shape = axis === null ? [] : [scales.length];
  const name = `${node.name}/weight`;
  const [quantized, back] = [graph.freshName(`${name}/int8`), graph.freshName(`${name}/back`)];
  const floats = Float32Array.from(values, (q, at) => q * scales[Math.floor(at / inner) % scales.length]!);
  const scale = graph.addConstant(`${name}/scale`, floatTensor(shape, scales));
  const zero = graph.addConstant(`${name}/zero`, int8Tensor(shape, new Int8Array(scales.length)));
  const attributes = axis === null ? [] : [intAttribute('axis', axis)];
  const data = graph.addConstant(`${name}/grid`, floatTensor(dims, floats));
  graph.add({ opType: 'QuantizeLinear', inputs: [data, scale, zero], outputs: [quantized], attributes });
  graph.add({ opType: 'DequantizeLinear', inputs: [quantized, scale, zero], outputs: [back], attributes });
  graph.setInput(node, 1, back);
}

function addWeights(
  graph: Graph,
  node: Node,
  { dims, axis }: WeightLayout,
  { values, scales }: QuantizedWeights,
): void {
  const shape = axis === null ? [] : [scales.length];
  const name = `${node.name}/weight`;
  const back = graph.freshName(`${name}/back`);
  graph.add({
    opType: 'DequantizeLinear',
    inputs: [
      graph.addConstant(`${name}/int8`, int8Tensor(dims, values)),
      graph.addConstant(`${name}/scale`, floatTensor(shape, scales)),
      graph.addConstant(`${name}/zero`, int8Tensor(shape, new Int8Array(scales.length))),
    ],
    outputs: [back],
    attributes: axis === null ? [] : [intAttribute('axis', axis)],
  });
  graph.setInput(node, 1, back);
}

function addBias(graph: Graph, node: Node, values: Int32Array, scales: Float32Array): void {
  const name = `${node.name}/bias`;
  const back = graph.freshName(`${name}/back`);
  const shape = scales.length > 1 || values.length === 1 ? [scales.length] : [];
  graph.add({
    opType: 'DequantizeLinear',
    inputs: [
      graph.addConstant(`${name}/int32`, int32Tensor([values.length], values)),
      graph.addConstant(`${name}/scale`, floatTensor(shape, scales)),
      graph.addConstant(`${name}/zero`, int32Tensor(shape, new Int32Array(scales.length))),
    ],
    outputs: [back],
    attributes: shape.length > 0 ? [intAttribute('axis', 0)] : [],
  });
  graph.setInput(node, 2, back);
}

/** One bias a channel, or null without one. A Gemm's C may be [N], [1,N] or a scalar. */
function biasOf(graph: Graph, node: Node, channels: number): Float32Array | null {
  const tensor = graph.constantOf(node, 2);
  const values = tensor ? floatsOf(tensor) : null;
  if (!values) return null;
  return Float32Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel]!);
}
