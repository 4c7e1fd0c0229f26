/** Cuts a network to widths, or to the widths that a budget allows, and checks that the cut is one. */
import { PruneBudgetMissed, RewriteNotExact } from '../errors.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { relativeDifference } from '../recipe/prepare.js';
import { runShapes } from '../runtime/run-shapes.js';
import { Session } from '../runtime/session.js';
import { curveOf } from './curves.js';
import { cutChannels, silenceChannels } from './cut.js';
import type { Group } from './groups.js';
import { type CostModel, totalMacs } from './macs.js';
import type { Prunable } from './prunable.js';
import { type Trace, traceChannels } from './trace.js';
import { candidateWidths, chooseWidths, uniformWidth } from './widths.js';

/** Largest difference of a cut network from the silenced one, as a share of the output's range. */
const EXACT = 1e-3;
/** Rounds in which the budget is corrected by what the cut network really costs: costs of groups are not independent. */
const BUDGET_ROUNDS = 6;
const BUDGET_SLACK = 1.005;

export const uniformWidths = ({ groups, steps }: Prunable, keptShare: number): Map<string, number> =>
  new Map(groups.map(({ id, channels }) => [id, uniformWidth(channels.length, steps.get(id)!, keptShare)]));

/** One share over all groups: the channels that cost least error go first, wherever they are. */
export function globalWidths({ groups, steps, removals }: Prunable, keptShare: number): Map<string, number> {
  const curves = groups.map(({ id, channels: { length } }) => {
    const widths = candidateWidths(length, steps.get(id)!);
    const errors = widths.map((width) => removals.get(id)!.errors[length - width]!);
    return { id, widths, errors, costs: widths };
  });
  const all = groups.reduce((sum, { channels }) => sum + channels.length, 0);
  const chosen = chooseWidths(curves, keptShare * all);
  // Where the share is below what hardware likes, every group is as narrow as it may be.
  return chosen ?? new Map(curves.map(({ id, widths }) => [id, widths[0]!]));
}

export interface Cut {
  readonly graph: Graph;
  readonly widths: ReadonlyMap<string, number>;
  readonly removed: ReadonlySet<number>;
  readonly changed: readonly Group[];
  readonly macs: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

export async function cutTo(subject: Prunable, widths: ReadonlyMap<string, number>): Promise<Cut> {
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
  const shapes = await runShapes(graph, subject.feeds);
  return { graph, widths, removed, changed, shapes, macs: totalMacs(graph, shapes) };
}

/** A copy of the network with a trace of its own: the nodes of a trace belong to one graph. */
function retraced({ graph, shapes }: Prunable): { graph: Graph; trace: Trace } {
  const copy = cloneGraph(graph);
  return { graph: copy, trace: traceChannels(copy, shapes) };
}

/**
 * The widths with the least error whose cost is within a share of the whole network's.
 * @param orNearest whether the nearest will do
 * @throws ESP_PRUNE_BUDGET_MISSED
 */
export async function cutToBudget(subject: Prunable, share: number, cost: CostModel, orNearest = false): Promise<Cut> {
  const whole = cost.of(subject.graph, subject.shapes);
  const budget = share * whole;
  const curves = subject.groups.map((group) =>
    curveOf(
      subject.graph,
      subject.trace,
      group,
      subject.removals.get(group.id)!,
      subject.steps.get(group.id)!,
      subject.shapes,
      cost,
    ),
  );
  const costOf = (cut: Cut): number => cost.of(cut.graph, cut.shapes);
  const curved = curves.reduce((sum, { costs }) => sum + costs.at(-1)!, 0);
  let allowed = curved - (whole - budget);
  let nearest: Cut | null = null;
  for (let round = 0; round < BUDGET_ROUNDS; round++) {
    const widths = chooseWidths(curves, Math.max(0, allowed));
    if (!widths) break;
    const cut = await cutTo(subject, widths);
    if (costOf(cut) <= budget * BUDGET_SLACK) return cut;
    if (!nearest || costOf(cut) < costOf(nearest)) nearest = cut;
    allowed -= costOf(cut) - budget;
  }
  nearest ??= await cutTo(subject, new Map(curves.map(({ id, widths }) => [id, widths[0]!])));
  if (orNearest) return nearest;
  throw PruneBudgetMissed({ wanted: share, nearest: costOf(nearest) / whole, unit: cost.unit });
}

/** Removing channels must be the same as letting nobody read them. A wrong index anywhere shows here. */
export async function checkCut(subject: Prunable, cut: Cut): Promise<void> {
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
