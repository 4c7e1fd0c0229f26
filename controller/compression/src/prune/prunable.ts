/** A network before a width is chosen: its groups, and the order in which their channels go. */
import type { Dataset } from '../data/content.js';
import { type BatchOptions, firstFeeds } from '../data/feeds.js';
import { NothingPrunable } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { runShapes } from '../runtime/run-shapes.js';
import type { Feeds } from '../runtime/session.js';
import { type Alignment, stepOf } from './curves.js';
import { findGroups, type Group, type Groups, isInner } from './groups.js';
import { type Removal, removalByScore, weightImportance } from './importance.js';
import { obsRemoval } from './obs.js';
import { readersOf } from './readers.js';
import { taylorImportance } from './taylor.js';
import { type Trace, traceChannels } from './trace.js';

export const IMPORTANCES = ['obs', 'l1', 'l2', 'taylor', 'bn', 'random'] as const;
export type Importance = (typeof IMPORTANCES)[number];

export interface OrderOptions {
  readonly importance: Importance;
  readonly alignment: Alignment;
  /** Groups that a residual connection ties together are pruned too. */
  readonly tied: boolean;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly seed: number;
}

/** A network with everything that is known before a width is chosen; cut it to as many targets as are wanted. */
export interface Prunable {
  readonly graph: Graph;
  readonly trace: Trace;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly feeds: Feeds;
  readonly groups: readonly Group[];
  readonly frozen: Groups['frozen'];
  readonly steps: ReadonlyMap<string, number>;
  readonly removals: ReadonlyMap<string, Removal>;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
}

/** What a network offers for pruning. @param graph after its exact rewrites */
export async function traceGroups(
  graph: Graph,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Pick<Prunable, 'trace' | 'shapes' | 'feeds'> & { found: Groups }> {
  const feeds = (await firstFeeds(data, feeding, 2)) ?? {};
  const shapes = await runShapes(graph, feeds);
  const trace = traceChannels(graph, shapes);
  return { trace, shapes, feeds, found: findGroups(trace) };
}

/**
 * Finds the groups of a network and the order in which their channels go.
 * @param graph after its exact rewrites; stays as it is
 * @throws ESP_NOTHING_PRUNABLE
 */
export async function orderPruning(graph: Graph, options: OrderOptions): Promise<Prunable> {
  const { alignment, data, feeding, tied } = options;
  const { trace, shapes, feeds, found } = await traceGroups(graph, data, feeding);
  const groups = found.prunable.filter((group) => group.channels.length > 1 && (tied || isInner(group)));
  if (groups.length === 0) {
    const reasons = [...new Set(found.frozen.map(({ reason }) => reason))];
    throw NothingPrunable({ why: reasons.join('; ') || 'no layer makes channels that another one reads' });
  }
  const steps = new Map(groups.map((group) => [group.id, stepOf(graph, trace, group, alignment)]));
  const removals = await orderChannels(graph, trace, groups, options);
  return { graph, trace, shapes, feeds, groups, frozen: found.frozen, steps, removals, data, feeding };
}

async function orderChannels(
  graph: Graph,
  trace: Trace,
  groups: readonly Group[],
  { importance, data, feeding, seed }: OrderOptions,
): Promise<Map<string, Removal>> {
  if (importance === 'taylor') {
    const scores = await taylorImportance(graph, trace, groups, data, feeding);
    return new Map(groups.map(({ id }) => [id, removalByScore(scores.get(id)!)]));
  }
  const readers =
    importance === 'obs' ? await readersOf(graph, trace, groups, data, feeding) : new Map<string, never>();
  return new Map(
    groups.map((group) => {
      const seen = readers.get(group.id);
      if (seen) return [group.id, obsRemoval(seen, group.channels.length)];
      // A group whose readers have no covariance (grouped convolutions) goes by the norm of its weights.
      const measure = importance === 'obs' ? 'l2' : importance;
      return [group.id, removalByScore(weightImportance(graph, trace, group, measure, seed))];
    }),
  );
}
