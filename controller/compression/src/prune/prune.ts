/** Structured pruning of a prepared float network: trace, order, widths, cut, check, refit. */
import type { LatencyTable } from '@espalier/proto';
import { LatencyCosts } from '../latency/table.js';
import type { Graph } from '../onnx/graph.js';
import { verify } from '../onnx/verify.js';
import { type Cut, checkCut, cutTo, cutToBudget, globalWidths, uniformWidths } from './fit.js';
import type { Groups } from './groups.js';
import { type CostModel, int8Cost, macsCost, totalMacs, weightsCost } from './macs.js';
import { type OrderOptions, orderPruning, type Prunable } from './prunable.js';
import { refit } from './refit.js';
import type { Trace } from './trace.js';

/**
 * A share of every group's channels to remove, or of all channels wherever they cost least; a width for each group; or a
 * share of the cost to keep: multiply-accumulates, weights, bytes of the int8 file, or a table's latency.
 */
export type PruneTarget =
  | { readonly ratio: number; readonly global?: boolean }
  | { readonly widths: ReadonlyMap<string, number> }
  | { readonly macs: number }
  | { readonly weights: number }
  | { readonly int8: number }
  | { readonly latency: number; readonly table: LatencyTable };

export interface CutOptions {
  readonly target: PruneTarget;
  readonly refit: boolean;
  /** The nearest there is where no widths come down to the cost; an error otherwise. */
  readonly orNearest?: boolean;
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
  /** Of the whole network and of this one, by the table; null without one. */
  readonly predictedUs: { readonly before: number; readonly after: number } | null;
  readonly refitted: readonly string[];
}

/**
 * Cuts a network to a target and refits it.
 * @throws ESP_PRUNE_BUDGET_MISSED, ESP_REWRITE_NOT_EXACT
 */
export async function pruneTo(
  subject: Prunable,
  { target, refit: withRefit, orNearest = false, onProgress }: CutOptions,
): Promise<Pruned> {
  const { graph, trace, shapes, groups, frozen, data, feeding } = subject;
  onProgress?.(0, 'choosing widths');
  const macsBefore = totalMacs(graph, shapes);
  const latency = 'table' in target ? new LatencyCosts(target.table, graph, shapes) : null;
  const fitted = await cutFor(subject, target, { cost: latency ?? macsCost, orNearest });
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
  const predictedUs = latency && {
    before: latency.of(graph, shapes),
    after: latency.of(fitted.graph, fitted.shapes),
  };
  return { graph: fitted.graph, widths, frozen, macsBefore, macsAfter: fitted.macs, predictedUs, refitted };
}

function cutFor(
  subject: Prunable,
  target: PruneTarget,
  { cost, orNearest }: { cost: CostModel; orNearest: boolean },
): Promise<Cut> {
  if ('widths' in target) return cutTo(subject, target.widths);
  if ('ratio' in target)
    return cutTo(subject, (target.global ? globalWidths : uniformWidths)(subject, 1 - target.ratio));
  if ('weights' in target) return cutToBudget(subject, target.weights, weightsCost, orNearest);
  if ('int8' in target) return cutToBudget(subject, target.int8, int8Cost, orNearest);
  return cutToBudget(subject, 'macs' in target ? target.macs : target.latency, cost, orNearest);
}

/** Both steps. @throws ESP_NOTHING_PRUNABLE, ESP_PRUNE_BUDGET_MISSED, ESP_REWRITE_NOT_EXACT */
export async function prune(graph: Graph, options: PruneOptions): Promise<Pruned> {
  options.onProgress?.(0, 'ordering channels');
  const subject = await orderPruning(graph, options);
  const onProgress = (share: number, what: string): void => options.onProgress?.(0.4 + 0.6 * share, what);
  return pruneTo(subject, { ...options, onProgress });
}

/** Places of the channels that are left, for every producer that lost some. */
export function keptChannels({ producers, classes }: Trace, removed: ReadonlySet<number>): Map<string, number[]> {
  const left = producers.map(({ node, labels }) => {
    const places = labels.flatMap((label, at) => (removed.has(classes.find(label)) ? [] : [at]));
    return [node.name, places, labels.length] as const;
  });
  return new Map(left.filter(([, places, size]) => places.length < size).map(([name, places]) => [name, places]));
}
