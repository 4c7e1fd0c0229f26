/** Measures of how much a channel matters. */
import { randomFrom } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { floatsOf } from '../onnx/tensor.js';
import type { Group } from './groups.js';
import { labelOfElement, type Trace } from './trace.js';

export type WeightMeasure = 'l1' | 'l2' | 'bn' | 'random';

/** Which nodes' constants speak for a channel, and what each of their elements adds. */
interface Reading {
  readonly reads: (node: Node) => boolean;
  /** One number an element of the node's input 1. */
  readonly elements: (node: Node) => Float32Array | null;
}

/**
 * Sums over the elements that make each channel of a group, in the order of its channels: those of its producers' weights,
 * or of the norms behind them.
 */
export function channelSums(graph: Graph, trace: Trace, group: Group, { reads, elements }: Reading): number[] {
  const sums = new Map(group.channels.map(({ root }) => [root, 0]));
  for (const slice of trace.slices) {
    if (slice.input !== 1 || !reads(slice.node)) continue;
    const values = elements(slice.node);
    if (!values) continue;
    const labelAt = labelOfElement(graph.constantOf(slice.node, 1)!.dims, slice.axis, slice.labels);
    for (let at = 0; at < values.length; at++) {
      const root = trace.classes.find(labelAt(at));
      const before = sums.get(root);
      if (before !== undefined) sums.set(root, before + values[at]!);
    }
  }
  return group.channels.map(({ root }) => sums.get(root)!);
}

/** Slices along which a producer makes the channels; the others are those that it reads. */
export const producing = (trace: Trace, group: Group): Trace => ({
  ...trace,
  slices: trace.slices.filter(({ node, labels }) =>
    trace.producers.some((one) => one.node === node && one.labels[0] === labels[0] && group.producers.includes(node)),
  ),
});

const weightsOf =
  (graph: Graph, of: (weight: number) => number) =>
  (node: Node): Float32Array | null =>
    floatsOf(graph.constantOf(node, 1)!)?.map(of) ?? null;

/**
 * One score a channel of the group. l1 and l2: norm of the weights that make the channel, over all its producers [Li et
 * al. 2017]. bn: size of the norm's scale behind it [Liu et al. 2017], or l2 where no norm is left. random: the control
 * that any measure has to beat.
 */
export function weightImportance(
  graph: Graph,
  trace: Trace,
  group: Group,
  measure: WeightMeasure,
  seed: number,
): number[] {
  const random = randomFrom(seed);
  if (measure === 'random') return group.channels.map(() => random());
  if (measure === 'bn') {
    const reads = ({ opType }: Node): boolean => opType === 'BatchNormalization';
    const scores = channelSums(graph, trace, group, { reads, elements: weightsOf(graph, Math.abs) });
    if (scores.some((score) => score > 0)) return scores;
  }
  const own = producing(trace, group);
  const reads = (): boolean => true;
  if (measure === 'l1') return channelSums(graph, own, group, { reads, elements: weightsOf(graph, Math.abs) });
  return channelSums(graph, own, group, { reads, elements: weightsOf(graph, (weight) => weight * weight) }).map(
    Math.sqrt,
  );
}

/** An order of removal and the error that each width leaves, as shares: of the norm for weights, of variance for OBS. */
export interface Removal {
  /** Places in `group.channels`, the first to go first. */
  readonly order: readonly number[];
  /** Error after 0, 1, 2 ... removals. */
  readonly errors: readonly number[];
}

/** The weakest goes first; the error of a width is the share of importance that is gone. */
export function removalByScore(scores: readonly number[]): Removal {
  const order = scores.map((_, at) => at).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const all = scores.reduce((sum, score) => sum + score, 0) || 1;
  const errors = [0];
  for (const at of order) errors.push(errors.at(-1)! + scores[at]! / all);
  return { order, errors };
}
