/** The layers of a lowered network that the bit-packed kernel can run. Pure. */
import type { Graph } from '../onnx/graph.js';
import { intOf, intsOf, type Node } from '../onnx/node.js';
import { floatsOf } from '../onnx/tensor.js';
import { FILTER_BLOCK, WORD } from './layout.js';
import type { BinaryLayer } from './packed-conv.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

export interface FoundLayer extends BinaryLayer {
  /** The value whose signs it reads, [1, C, H, W]. */
  readonly input: string;
  readonly output: string;
  /** What is added to each filter; null for nothing. */
  readonly bias: Float32Array | null;
}

/** The comparison that a value of signs comes from, as `addSigns` writes it. */
function comparisonOf(graph: Graph, value: string): Node | null {
  let node = graph.producer(value);
  for (const opType of ['Sub', 'Mul', 'Cast']) {
    if (node?.opType !== opType) return null;
    node = graph.producer(node.inputs[0]!);
  }
  return node?.opType === 'Greater' ? node : null;
}

/** One number of each filter that all its weights are, but for the sign; null when they are not. */
function scalesOf(weights: Float32Array, filters: number): Float32Array | null {
  const size = weights.length / filters;
  const scales = Float32Array.from({ length: filters }, (_, filter) => Math.abs(weights[filter * size]!));
  const isOne = weights.every((weight, at) => Math.abs(weight) === scales[Math.floor(at / size)]);
  return isOne ? scales : null;
}

function layerOf(graph: Graph, node: Node, shapes: Shapes): FoundLayer | null {
  const comparison = node.opType === 'Conv' ? comparisonOf(graph, node.inputs[0]!) : null;
  const tensor = graph.constantOf(node, 1);
  const thresholds = comparison && graph.constantOf(comparison, 1);
  if (!comparison || !tensor || !thresholds) return null;
  const [filters, channels, ...kernel] = tensor.dims as [number, number, number, number];
  const weights = floatsOf(tensor)!;
  const scales = scalesOf(weights, filters);
  const [, , height, width] = shapes.get(comparison.inputs[0]!) as [number, number, number, number];
  const isDilated = (intsOf(node, 'dilations') ?? []).some((step) => step !== 1);
  if (!scales || channels % WORD !== 0 || filters % FILTER_BLOCK !== 0) return null;
  if (isDilated || intOf(node, 'group', 1) !== 1 || node.attributes.has('auto_pad')) return null;
  const bias = graph.constantOf(node, 2);
  const stride = (intsOf(node, 'strides') ?? [1, 1]) as [number, number];
  const pads = (intsOf(node, 'pads') ?? [0, 0, 0, 0]) as [number, number, number, number];
  return {
    ...{ node: node.name, input: comparison.inputs[0]!, output: node.outputs[0]!, weights, scales },
    ...{ thresholds: floatsOf(thresholds)!, bias: bias ? floatsOf(bias) : null },
    shape: { height, width, channels, filters, kernel, stride, pads },
  };
}

/** @param shapes of the values for one sample */
export const binaryLayers = (graph: Graph, shapes: Shapes): FoundLayer[] =>
  graph.nodes.flatMap((node) => layerOf(graph, node, shapes) ?? []);
