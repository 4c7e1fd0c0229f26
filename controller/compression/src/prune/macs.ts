/** Multiply-accumulates of a network, the cost that stands in where no latency was measured. */
import type { CostUnit } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { elementCount } from '../onnx/tensor.js';
import { channelAxis } from '../quantize/node-constants.js';
import { WEIGHTED } from '../quantize/plan.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Of one node for one sample; 0 for what does not multiply by weights. */
export function macsOf(graph: Graph, node: Node, shapes: Shapes): number {
  const weights = graph.constantOf(node, 1)?.dims;
  const output = shapes.get(node.outputs[0]!) ?? [];
  const input = shapes.get(node.inputs[0]!) ?? [];
  if (!weights) return 0;
  if (node.opType === 'Conv') return elementCount(output.slice(1)) * elementCount(weights.slice(1));
  if (node.opType === 'ConvTranspose') return elementCount(input.slice(1)) * elementCount(weights.slice(1));
  if (node.opType === 'Gemm') return elementCount(weights);
  if (node.opType === 'MatMul') return (elementCount(output.slice(1)) || 1) * weights[0]!;
  return 0;
}

/** True for a convolution that carries its channels through. */
export const isDepthwise = (graph: Graph, node: Node): boolean =>
  node.opType === 'Conv' && intOf(node, 'group', 1) > 1 && graph.constantOf(node, 1)?.dims[1] === 1;

/** What widths are chosen by: multiply-accumulates, the number of weights, or a measured latency. */
export interface CostModel {
  readonly unit: CostUnit;
  /** The part of a node's cost that changes with its width. */
  ofNode(graph: Graph, node: Node, shapes: Shapes): number;
  /** Cost of a whole network. */
  of(graph: Graph, shapes: Shapes): number;
}

/** A cost that is the sum of its nodes'. */
const summed = (unit: CostUnit, ofNode: CostModel['ofNode']): CostModel => ({
  ...{ unit, ofNode },
  of: (graph, shapes) => graph.nodes.reduce((sum, node) => sum + ofNode(graph, node, shapes), 0),
});

export const macsCost = summed('macs', macsOf);
export const totalMacs = macsCost.of;

const weightsOf = (graph: Graph, node: Node): number => elementCount(graph.constantOf(node, 1)?.dims ?? [0]);

/** What a float file's size goes by. */
export const weightsCost = summed('weights', weightsOf);

/** Of a filter beside its weights: scale, bias and the bias's scale of 4 bytes, and the zero points of 1 and 4. */
const FILTER_BYTES = 17;

const int8Of = (graph: Graph, node: Node): number => {
  const dims = WEIGHTED.has(node.opType) ? graph.constantOf(node, 1)?.dims : undefined;
  return dims ? elementCount(dims) + FILTER_BYTES * dims[channelAxis(node)]! : 0;
};

/** Bytes of an int8 file that go by widths. */
export const int8Cost = summed('bytes', int8Of);
