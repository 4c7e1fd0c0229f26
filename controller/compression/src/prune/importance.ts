/** Measures of how much a channel matters, from weights alone. */
import { randomFrom } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import { floatsOf } from '../onnx/tensor.js';
import type { Group } from './groups.js';
import { labelOfElement, type Trace } from './trace.js';

export type WeightMeasure = 'l1' | 'l2' | 'random';

/**
 * One score a channel of the group. l1 and l2: norm of the weights that make the channel, over all its producers [Li et
 * al. 2017]. random: the control that any measure has to beat.
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
  const scores = new Map(group.channels.map(({ root }) => [root, 0]));
  for (const { node, labels } of trace.producers) {
    if (!group.producers.includes(node)) continue;
    const slice = trace.slices.find((one) => one.node === node && one.input === 1 && one.labels[0] === labels[0]);
    if (!slice) continue;
    const tensor = graph.constantOf(node, 1)!;
    const weights = floatsOf(tensor)!;
    const labelAt = labelOfElement(tensor.dims, slice.axis, slice.labels);
    for (let at = 0; at < weights.length; at++) {
      const root = trace.classes.find(labelAt(at));
      const before = scores.get(root);
      const weight = Math.abs(weights[at]!);
      if (before !== undefined) scores.set(root, before + (measure === 'l1' ? weight : weight * weight));
    }
  }
  return group.channels.map(({ root }) => (measure === 'l2' ? Math.sqrt(scores.get(root)!) : scores.get(root)!));
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
