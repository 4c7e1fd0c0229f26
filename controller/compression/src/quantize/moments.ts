import type { Batch } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { AttributeProto } from '../onnx/gen/onnx_pb.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, intsAttribute, type Node } from '../onnx/node.js';
import { addPatches } from '../onnx/patches.js';
import { inferShapes } from '../onnx/shapes/infer.js';
import type { Shape } from '../onnx/shapes/shape.js';
import { elementCount, int64Tensor, Type } from '../onnx/tensor.js';
import { PER_CHANNEL_OPSET } from '../passes/raise-opset.js';
import { returningOnly } from '../passes/returning-only.js';
import { collectGarbage } from '../runtime/collect.js';
import { type Feeds, Session } from '../runtime/session.js';
import type { CalibrationCache, Kept } from './calibration-cache.js';
import { inGroups } from './groups.js';
import type { Numbers } from './record-log.js';
import { joined } from './samples.js';

/** First two moments of what the filters of a node are multiplied with: K inputs a filter, in G groups. */
export interface Moments {
  readonly groups: number;
  readonly size: number;
  /** E[x], [G, K]. */
  readonly mean: Float64Array;
  /** Cov(x) = E[x x^T] - E[x] E[x]^T of one group, [K, K]; empty where {@link isFitted} is false. */
  covariance(group: number): Float32Array;
}

/** Filters with more inputs than this keep the nearest rounding: their matrix alone would take 32 MB. */
const SIZE_MAX = 2048;
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

/** Batches that are run as one: the matrices leave the runtime once for all of them. */
const JOINED = 8;
/** Bytes of matrices that one session may return: with more, the samples are run again for the rest. */
const GRAM_BYTES_MAX = 16_000_000;

interface Tap {
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
function isFitted(graph: Graph, node: Node): boolean {
  return elementCount(graph.constantOf(node, 1)!.dims) * filtersOf(graph, node).size <= WORK_MAX;
}

/** Groups of a node's filters, and inputs of each filter; none where its moments are not taken. */
function filtersOf(graph: Graph, node: Node): { groups: number; size: number } {
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
export function tapMoments(graph: Graph, nodes: readonly Node[], samples = 1): Tap[] {
  const taps: Tap[] = [];
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

/** Streams the moments of the inputs of nodes over samples. Memory: G K^2 numbers a node. */
export async function observeMoments(
  graph: Graph,
  nodes: readonly Node[],
  samples: readonly Batch[],
  cache: CalibrationCache | null = null,
): Promise<Map<string, Moments>> {
  const sizeOf = (node: Node): number => {
    const { groups, size } = filtersOf(graph, node);
    return size > SIZE_MAX || !isFitted(graph, node) ? 0 : 4 * groups * size ** 2;
  };
  const found = new Map<string, Moments>();
  for (const group of inGroups(nodes, sizeOf, GRAM_BYTES_MAX)) {
    for (const [node, moments] of await observeGroup(graph, new Set(group.map(({ name }) => name)), samples, cache)) {
      found.set(node, moments);
    }
    collectGarbage();
  }
  return found;
}

async function observeGroup(
  graph: Graph,
  names: ReadonlySet<string>,
  samples: readonly Batch[],
  cache: CalibrationCache | null,
): Promise<Map<string, Moments>> {
  const tapped = cloneGraph(graph);
  const n = samples.reduce((sum, { size }) => sum + size, 0);
  const taps = tapMoments(
    tapped,
    tapped.nodes.filter(({ name }) => names.has(name)),
    n,
  );
  if (taps.length === 0) return new Map();
  const sums = new Map(taps.map((tap) => [tap.node, new Sums(tap)]));
  const measure = (): Promise<void> => sumUp(tapped, taps, samples, sums);
  if (cache) await cache.through(graph, ['moments', ...sums.keys()], [...sums.values()], measure);
  else await measure();
  return new Map(taps.map((tap) => [tap.node, sums.get(tap.node)!.moments(tap)]));
}

async function sumUp(
  tapped: Graph,
  taps: readonly Tap[],
  samples: readonly Batch[],
  sums: ReadonlyMap<string, Sums>,
): Promise<void> {
  const outputs = taps.flatMap(({ gram, sum, count }) => [...(gram ? [gram] : []), sum, count]);
  const session = await Session.open(encodeModel(returningOnly(tapped, outputs)), 'the moments graph');
  try {
    for (const feeds of joined(tapped, samples, JOINED)) {
      const found = await session.runAlone(feeds);
      for (const tap of taps) sums.get(tap.node)!.add(found, tap);
    }
  } finally {
    await session.dispose();
  }
}

function addTo(sums: Float32Array | Float64Array, values: Float32Array): void {
  for (let at = 0; at < values.length; at++) sums[at]! += values[at]!;
}

class Sums implements Kept {
  private readonly gram: Float32Array;
  private readonly sum: Float64Array;
  private n = 0;

  constructor({ groups, size, gram }: Tap) {
    this.gram = new Float32Array(gram ? groups * size ** 2 : 0);
    this.sum = new Float64Array(groups * size);
  }

  add(found: Feeds, tap: Tap): void {
    const of = (name: string): Float32Array => found[name]!.data as Float32Array;
    if (tap.gram) addTo(this.gram, of(tap.gram));
    addTo(this.sum, of(tap.sum));
    this.n += of(tap.count)[0]! / (tap.groups * tap.size);
  }

  state(): Numbers[] {
    return [this.gram, this.sum, Float64Array.of(this.n)];
  }

  restore([gram, sum, n]: readonly Numbers[]): void {
    this.gram.set(gram!);
    this.sum.set(sum!);
    this.n = n![0]!;
  }

  moments({ groups, size }: Tap): Moments {
    const { gram, n } = this;
    const mean = this.sum.map((value) => value / n);
    for (let row = 0; gram.length > 0 && row < groups * size; row++) {
      const start = row - (row % size);
      for (let j = 0; j < size; j++) {
        gram[row * size + j] = gram[row * size + j]! / n - mean[row]! * mean[start + j]!;
      }
    }
    const block = size * size;
    return { groups, size, mean, covariance: (group) => gram.subarray(group * block, (group + 1) * block) };
  }
}

/** The moments of x / d, where d has one divisor for each of the G K inputs. */
export function divideMoments({ groups, size, mean, covariance }: Moments, divisors: Float64Array): Moments {
  return {
    groups,
    size,
    mean: mean.map((value, at) => value / divisors[at]!),
    covariance(group) {
      const d = divisors.subarray(group * size, (group + 1) * size);
      return covariance(group).map((value, at) => value / (d[Math.floor(at / size)]! * d[at % size]!));
    },
  };
}
