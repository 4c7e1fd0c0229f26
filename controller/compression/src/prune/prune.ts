/** Structured pruning of a prepared float network: trace, order, widths, cut, check, refit. */
import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { NothingPrunable, PruneBudgetMissed, RewriteNotExact } from '../errors.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { verify } from '../onnx/verify.js';
import { relativeDifference } from '../recipe/prepare.js';
import { type Feeds, Session } from '../runtime/session.js';
import { type Alignment, curveOf, stepOf } from './curves.js';
import { cutChannels, silenceChannels } from './cut.js';
import { findGroups, type Group, type Groups, isInner } from './groups.js';
import { type Removal, removalByScore, weightImportance } from './importance.js';
import { totalMacs } from './macs.js';
import { obsRemoval } from './obs.js';
import { readersOf } from './readers.js';
import { refit } from './refit.js';
import { runShapes } from './shapes.js';
import { type Trace, traceChannels } from './trace.js';
import { chooseWidths, uniformWidth } from './widths.js';

export type Importance = 'obs' | 'l1' | 'l2' | 'random';

/** Either a share of every group's channels to remove, or a share of the multiply-accumulates to keep. */
export type PruneTarget = { readonly ratio: number } | { readonly macs: number };

export interface OrderOptions {
  readonly importance: Importance;
  readonly alignment: Alignment;
  /** Groups that a residual connection ties together are pruned too. */
  readonly tied: boolean;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly seed: number;
}

export interface CutOptions {
  readonly target: PruneTarget;
  readonly refit: boolean;
  readonly onProgress?: ((share: number, what: string) => void) | undefined;
}

export type PruneOptions = OrderOptions & CutOptions;

export interface GroupWidth {
  readonly group: string;
  readonly before: number;
  readonly after: number;
}

export interface Pruned {
  readonly graph: Graph;
  readonly widths: readonly GroupWidth[];
  readonly frozen: Groups['frozen'];
  readonly macsBefore: number;
  readonly macsAfter: number;
  readonly refitted: readonly string[];
}

/** Largest difference of a cut network from the silenced one, as a share of the output's range. */
const EXACT = 1e-3;
/** Rounds in which the budget is corrected by what the cut network really costs: costs of groups are not independent. */
const BUDGET_ROUNDS = 6;
const BUDGET_SLACK = 1.005;

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

async function firstFeeds(data: Dataset, feeding: BatchOptions): Promise<Feeds> {
  for await (const { feeds } of batches(data, { ...feeding, batchSize: 2, limit: 2 })) return feeds;
  return {};
}

/** What a network offers for pruning. @param graph after its exact rewrites */
export async function traceGroups(
  graph: Graph,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Pick<Prunable, 'trace' | 'shapes' | 'feeds'> & { found: Groups }> {
  const feeds = await firstFeeds(data, feeding);
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

/**
 * Cuts a network to a target and refits it.
 * @throws ESP_PRUNE_BUDGET_MISSED, ESP_REWRITE_NOT_EXACT
 */
export async function pruneTo(
  subject: Prunable,
  { target, refit: withRefit, onProgress }: CutOptions,
): Promise<Pruned> {
  const { graph, trace, shapes, groups, frozen, data, feeding } = subject;
  onProgress?.(0, 'choosing widths');
  const macsBefore = totalMacs(graph, shapes);
  const fitted =
    'ratio' in target
      ? await cutTo(subject, uniformWidths(subject, 1 - target.ratio))
      : await cutToBudget(subject, target.macs * macsBefore, macsBefore);
  await checkCut(subject, fitted);
  const readers = new Set(fitted.changed.flatMap(({ consumers }) => consumers.map(({ name }) => name)));
  const kept = keptChannels(trace, fitted.removed);
  const refitted = withRefit
    ? await refit(fitted.graph, graph, readers, {
        ...{ data, feeding, kept },
        onProgress: (share) => onProgress?.(0.1 + 0.9 * share, 'refitting'),
      })
    : [];
  verify(fitted.graph, 'prune');
  const widths = groups.map(({ id, channels }) => ({
    ...{ group: id, before: channels.length, after: fitted.widths.get(id) ?? channels.length },
  }));
  return { graph: fitted.graph, widths, frozen, macsBefore, macsAfter: fitted.macs, refitted };
}

/** Both steps. @throws ESP_NOTHING_PRUNABLE, ESP_PRUNE_BUDGET_MISSED, ESP_REWRITE_NOT_EXACT */
export async function prune(graph: Graph, options: PruneOptions): Promise<Pruned> {
  options.onProgress?.(0, 'ordering channels');
  const subject = await orderPruning(graph, options);
  const onProgress = (share: number, what: string): void => options.onProgress?.(0.4 + 0.6 * share, what);
  return pruneTo(subject, { ...options, onProgress });
}

async function orderChannels(
  graph: Graph,
  trace: Trace,
  groups: readonly Group[],
  { importance, data, feeding, seed }: OrderOptions,
): Promise<Map<string, Removal>> {
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

const uniformWidths = ({ groups, steps }: Prunable, keptShare: number): Map<string, number> =>
  new Map(groups.map(({ id, channels }) => [id, uniformWidth(channels.length, steps.get(id)!, keptShare)]));

interface Cut {
  readonly graph: Graph;
  readonly widths: ReadonlyMap<string, number>;
  readonly removed: ReadonlySet<number>;
  readonly changed: readonly Group[];
  readonly macs: number;
}

async function cutTo(subject: Prunable, widths: ReadonlyMap<string, number>): Promise<Cut> {
  const removed = new Set<number>();
  const changed: Group[] = [];
  for (const group of subject.groups) {
    const gone = group.channels.length - (widths.get(group.id) ?? group.channels.length);
    const { order } = subject.removals.get(group.id)!;
    for (const at of order.slice(0, gone)) removed.add(group.channels[at]!.root);
    if (gone > 0) changed.push(group);
  }
  const { graph, trace } = retraced(subject);
  cutChannels(graph, trace, removed);
  return { graph, widths, removed, changed, macs: totalMacs(graph, await runShapes(graph, subject.feeds)) };
}

/** A copy of the network with a trace of its own: the nodes of a trace belong to one graph. */
function retraced({ graph, shapes }: Prunable): { graph: Graph; trace: Trace } {
  const copy = cloneGraph(graph);
  return { graph: copy, trace: traceChannels(copy, shapes) };
}

async function cutToBudget(subject: Prunable, budget: number, whole: number): Promise<Cut> {
  const curves = subject.groups.map((group) =>
    curveOf(
      subject.graph,
      subject.trace,
      group,
      subject.removals.get(group.id)!,
      subject.steps.get(group.id)!,
      subject.shapes,
    ),
  );
  const curved = curves.reduce((sum, { costs }) => sum + costs.at(-1)!, 0);
  let allowed = curved - (whole - budget);
  let nearest: Cut | null = null;
  for (let round = 0; round < BUDGET_ROUNDS; round++) {
    const widths = chooseWidths(curves, Math.max(0, allowed));
    if (!widths) break;
    const cut = await cutTo(subject, widths);
    if (!nearest || cut.macs < nearest.macs || cut.macs <= budget * BUDGET_SLACK) nearest = cut;
    if (cut.macs <= budget * BUDGET_SLACK) return cut;
    allowed -= cut.macs - budget;
  }
  throw PruneBudgetMissed({
    wanted: budget / whole,
    nearest:
      (nearest ?? (await cutTo(subject, new Map(curves.map(({ id, widths }) => [id, widths[0]!]))))).macs / whole,
  });
}

/** Places of the channels that are left, for every producer that lost some. */
function keptChannels({ producers, classes }: Trace, removed: ReadonlySet<number>): Map<string, number[]> {
  const left = producers.map(({ node, labels }) => {
    const places = labels.flatMap((label, at) => (removed.has(classes.find(label)) ? [] : [at]));
    return [node.name, places, labels.length] as const;
  });
  return new Map(left.filter(([, places, size]) => places.length < size).map(([name, places]) => [name, places]));
}

/** Removing channels must be the same as letting nobody read them. A wrong index anywhere shows here. */
async function checkCut(subject: Prunable, cut: Cut): Promise<void> {
  const silent = retraced(subject);
  silenceChannels(silent.graph, silent.trace, cut.removed);
  const [expected, found] = await Promise.all(
    [silent.graph, cut.graph].map((graph) => Session.open(encodeModel(graph), 'the pruned model')),
  );
  try {
    const wanted = await expected!.floats(subject.feeds);
    const given = await found!.floats(subject.feeds);
    for (const [output, { data }] of Object.entries(wanted)) {
      const difference = relativeDifference(data, given[output]!.data);
      if (difference > EXACT) throw RewriteNotExact({ pass: 'prune', output, difference });
    }
  } finally {
    await Promise.all([expected!.dispose(), found!.dispose()]);
  }
}
