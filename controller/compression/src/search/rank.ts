/** Which nodes are worth keeping float: what they add to the noise of the outputs, for the time it costs to spare it. */
import type { Graph } from '../onnx/graph.js';
import type { Plan } from '../quantize/plan.js';

/** Nodes that leave int8 together. */
export interface Group {
  readonly name: string;
  /** The nodes that compute. */
  readonly heads: readonly string[];
  /** With the activations that their quantization absorbed. */
  readonly nodes: readonly string[];
}

/** More readers than this are not left in float together with what they read. */
const READERS_MAX = 3;

/** Each node that a plan has in int8, in the graph's order. Pure. */
export function groupsOf(graph: Graph, { decisions }: Plan): Group[] {
  return graph.nodes.flatMap(({ name, outputs }) => {
    if (decisions.get(name)?.kind !== 'int8') return [];
    const absorbed = outputs
      .flatMap((value) => graph.consumers(value))
      .filter((reader) => decisions.get(reader.name)?.kind === 'absorbed');
    return [{ name, heads: [name], nodes: [name, ...absorbed.map((node) => node.name)] }];
  });
}

/**
 * Each node together with those that read what it makes: only where both ends are float does the quantization of the
 * value between them go. Pure.
 */
export function pairsOf(graph: Graph, groups: readonly Group[]): Group[] {
  const groupOf = new Map(groups.flatMap((group) => group.nodes.map((node) => [node, group] as const)));
  const made = new Map(graph.nodes.map(({ name, outputs }) => [name, outputs]));
  return groups.flatMap((group) => {
    const values = made.get(group.nodes.at(-1)!) ?? [];
    const reading = values.flatMap((value) => graph.consumers(value)).map(({ name }) => groupOf.get(name));
    const readers = [...new Set(reading)].filter((one) => one !== undefined && one !== group) as Group[];
    if (readers.length === 0 || readers.length > READERS_MAX) return [];
    const all = [group, ...readers];
    const heads = all.flatMap((one) => one.heads);
    return [{ name: heads.join(' with '), heads, nodes: all.flatMap(({ nodes }) => nodes) }];
  });
}

export interface Measured {
  readonly group: Group;
  /** Power of the outputs' noise over their signal's that goes when the group alone is float; may be negative. */
  readonly gain: number;
  /** Share of float's time that this costs; negative where int8 is the slower. */
  readonly price: number;
}

/** Noise over signal, as a ratio of powers, of an SQNR. */
export const noiseOf = (sqnrDb: number): number => 10 ** (-sqnrDb / 10);

/** Below this share of float's time a price is within the noise of its measurement: dividing by it would rank noise. */
const PRICE_MIN = 1e-3;

/** Groups that gain something, the best gain for its price first: the greedy order of the knapsack problem [Dantzig 1957]. Pure. */
export const byWorth = (all: readonly Measured[]): Measured[] => {
  const worth = ({ gain, price }: Measured): number => gain / Math.max(price, PRICE_MIN);
  return all.filter(({ gain }) => gain > 0).sort((a, b) => worth(b) - worth(a));
};
