/** What is summed beside a network, to know the moments of what its filters are multiplied with. */
import type { AttributeProto } from '../onnx/gen/onnx_pb.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, intsAttribute, type Node } from '../onnx/node.js';
import { addPatches } from '../onnx/patches.js';
import { inferShapes } from '../onnx/shapes/infer.js';
import type { Shape } from '../onnx/shapes/shape.js';
import { elementCount, int64Tensor, Type } from '../onnx/tensor.js';
import { PER_CHANNEL_OPSET } from '../passes/raise-opset.js';

/** Filters with more inputs than this keep the nearest rounding: their matrix alone would take 32 MB. */
export const SIZE_MAX = 2048;
/**
 * Places of a map that moments are taken over, where there are more: in all, for each input of a filter, and of each
 * sample at least. Neighbours are alike, and more moves hardly any rounding.
 */
const PLACES = 4096;
const PLACES_PER_INPUT = 8;
const SAMPLE_PLACES_MIN = 16;

/** Of one sample, for filters of so many inputs. */
const placesOf = (size: number, samples: number): number =>
  Math.max(SAMPLE_PLACES_MIN, Math.ceil(Math.max(PLACES, PLACES_PER_INPUT * size) / samples));

export interface MomentTap {
  readonly node: string;
  /** Null where no rounding is fitted: then only the mean is summed. */
  readonly gram: string | null;
  readonly sum: string;
  /** Elements summed over: samples, groups, inputs and positions. */
  readonly count: string;
  readonly groups: number;
  readonly size: number;
}

/** Products that fitting the rounding of one node may take: more, in a classifier's last layer, costs seconds and gains little. */
const WORK_MAX = 4e8;

/** True if rounding is fitted to the covariance of a node's inputs. */
export function isFitted(graph: Graph, node: Node): boolean {
  return elementCount(graph.constantOf(node, 1)!.dims) * filtersOf(graph, node).size <= WORK_MAX;
}

/** Groups of a node's filters, and inputs of each filter; none where its moments are not taken. */
export function filtersOf(graph: Graph, node: Node): { groups: number; size: number } {
  const { dims } = graph.constantOf(node, 1)!;
  if (node.opType === 'Conv') return { groups: intOf(node, 'group', 1), size: elementCount(dims.slice(1)) };
  if (node.opType !== 'Gemm' || intOf(node, 'transA', 0) === 1) return { groups: 1, size: 0 };
  return { groups: 1, size: dims[intOf(node, 'transB', 0) === 1 ? 1 : 0]! };
}

/**
 * Adds to a graph, for each node, outputs with the sum of x x^T and of x over samples and positions. The patches of a
 * convolution come from a grouped convolution with one-hot filters: patch element (c, i, j) is channel c shifted.
 * A MatMul, and a model whose opset could not be raised, get none.
 * @param samples that come by: the more, the fewer places are taken of each one's map
 */
export function tapMoments(graph: Graph, nodes: readonly Node[], samples = 1): MomentTap[] {
  const taps: MomentTap[] = [];
  if (graph.opset() < PER_CHANNEL_OPSET) return taps;
  const { of } = inferShapes(graph);
  for (const node of nodes) {
    const { groups, size } = filtersOf(graph, node);
    if (size === 0 || size > SIZE_MAX) continue;
    const patches =
      node.opType === 'Conv'
        ? addPatches(graph, node, stepFor(of(node.outputs[0]!), placesOf(size, samples)))
        : node.inputs[0]!;
    const name = (hint: string): string => graph.freshName(`${node.name}/${hint}`);
    const add = (opType: string, inputs: string[], attributes: AttributeProto[] = []): string =>
      graph.add({ opType, inputs, outputs: [name(opType)], attributes }).outputs[0]!;
    const numbers = (values: number[]): string =>
      graph.addConstant('moments/numbers', int64Tensor([values.length], values));
    const perm = (order: number[]): AttributeProto[] => [intsAttribute('perm', order)];
    // [N, G, K, P] to [G, K, N P]: the product sums over samples too, faster than the runtime reduces their axis.
    const apart = add('Reshape', [patches, numbers([0, groups, size, -1])]);
    const rows = add('Reshape', [add('Transpose', [apart], perm([1, 2, 0, 3])), numbers([groups, size, -1])]);
    const gram = isFitted(graph, node) ? add('MatMul', [rows, add('Transpose', [rows], perm([0, 2, 1]))]) : null;
    const sum = add('ReduceSum', [rows, numbers([2])], [intAttribute('keepdims', 0)]);
    const count = add('Cast', [add('Size', [rows])], [intAttribute('to', Type.FLOAT)]);
    taps.push({ node: node.name, gram, sum, count, groups, size });
  }
  return taps;
}

/** Every how many places of a map [N, C, ...] leave no more than `most`; 1 where its size is not known. Pure. */
export function stepFor(shape: Shape, most: number): number {
  const sides = shape?.slice(2) ?? [];
  if (sides.some((side) => side === null)) return 1;
  const count = (step: number): number => sides.reduce<number>((n, side) => n * Math.ceil(side! / step), 1);
  let step = 1;
  while (count(step) > Math.max(1, most)) step++;
  return step;
}
