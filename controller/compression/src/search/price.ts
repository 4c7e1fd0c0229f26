/** What it costs to leave nodes in float, before any such build is timed. */
import type { HardwareProfile } from '../hardware/profile.js';
import { nodeTimes } from '../latency/node-times.js';
import { workOf } from '../latency/work.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { elementCount } from '../onnx/tensor.js';
import { runShapes } from '../runtime/run-shapes.js';
import type { Feeds } from '../runtime/session.js';
import type { Group } from './rank.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

export interface Prices {
  /** Share of float's time, by group name. */
  readonly of: ReadonlyMap<string, number>;
  readonly from: 'measured on this machine' | 'latencies of the profile' | 'multiply-accumulates';
}

/** Where the runtime says nothing: int8 takes about half of float's time. */
export const SPARED = 0.5;
/** Runs that a price is averaged over: it orders nodes, and every build that comes of it is timed by itself. */
const RUNS = 30;
const MADE_BY_RUNTIME = /(_nchwc|_quant|_token_\d+)+$/;

/** The times of a run by group: the runtime names a fused node after one of its nodes or after what they make. Pure. */
export function timesOfGroups(
  graph: Graph,
  groups: readonly Group[],
  times: ReadonlyMap<string, number>,
): Map<string, number> {
  const groupOf = new Map(groups.flatMap(({ name, nodes }) => nodes.map((node) => [node, name] as const)));
  const named = new Map(graph.nodes.map((node) => [node.name, node]));
  const found = new Map<string, number>();
  for (const [timed, us] of times) {
    const name = timed.replace(MADE_BY_RUNTIME, '');
    const node = named.get(name) ?? graph.producer(name);
    const owner = node && groupOf.get(node.name);
    if (owner) found.set(owner, (found.get(owner) ?? 0) + us);
  }
  return found;
}

/** Share of the model's work that each group does, which stands for time where nothing was measured. Pure. */
export function sharesOfWork(graph: Graph, groups: readonly Group[], shapes: Shapes): Map<string, number> {
  const work = new Map(graph.nodes.map((node) => [node.name, workOf(graph, node, shapes)]));
  const total = [...work.values()].reduce((sum, one) => sum + one, 0) || 1;
  return new Map(groups.map(({ name }) => [name, (work.get(name) ?? 0) / total]));
}

/** Share of float's time by the profile's own latencies of operators; null where it has none. Pure. */
export function sharesOfProfile(
  graph: Graph,
  groups: readonly Group[],
  { latencyTable }: HardwareProfile,
): Map<string, number> | null {
  const us = new Map(latencyTable.map(({ op, p50Us }) => [op, p50Us]));
  const total = graph.nodes.reduce((sum, { opType }) => sum + (us.get(opType) ?? 0), 0);
  if (total === 0) return null;
  const opOf = new Map(graph.nodes.map(({ name, opType }) => [name, opType]));
  return new Map(groups.map(({ name }) => [name, (us.get(opOf.get(name)!) ?? 0) / total]));
}

const spared = (shares: ReadonlyMap<string, number>): Map<string, number> =>
  new Map([...shares].map(([name, share]) => [name, SPARED * share]));

export interface PriceOptions {
  readonly graph: Graph;
  readonly int8: Graph;
  readonly groups: readonly Group[];
  readonly profile: HardwareProfile;
  readonly feeds: Feeds;
  /** This machine is one that the profile fits. */
  readonly isHere: boolean;
}

/** Prices of all groups: float time less int8 time where both can be measured, and what conversions add at the borders. */
export async function pricesOf({ graph, int8, groups, profile, feeds, isHere }: PriceOptions): Promise<Prices> {
  const shapes = await runShapes(graph, feeds);
  if (!isHere) {
    const known = sharesOfProfile(graph, groups, profile);
    if (known) return { of: spared(known), from: 'latencies of the profile' };
    return { of: spared(sharesOfWork(graph, groups, shapes)), from: 'multiply-accumulates' };
  }
  const [float, quantized] = [
    await nodeTimes(encodeModel(graph), feeds, profile.session, RUNS),
    await nodeTimes(encodeModel(int8), feeds, profile.session, RUNS),
  ];
  const total = [...float.values()].reduce((sum, us) => sum + us, 0) || 1;
  const [asFloat, asInt8] = [timesOfGroups(graph, groups, float), timesOfGroups(graph, groups, quantized)];
  const rate = conversionUs(int8, quantized, shapes);
  const of = new Map(
    groups.map(({ name, nodes }) => {
      const us = (asFloat.get(name) ?? 0) - (asInt8.get(name) ?? 0) + rate * borderElements(graph, nodes, shapes);
      return [name, us / total] as const;
    }),
  );
  return { of, from: 'measured on this machine' };
}

/** Microseconds that a conversion takes for one element, by those that the int8 build has; 0 where it has none. */
function conversionUs(int8: Graph, times: ReadonlyMap<string, number>, shapes: Shapes): number {
  let [us, elements] = [0, 0];
  for (const { name, opType, inputs } of int8.nodes) {
    const shape = opType === 'QuantizeLinear' ? shapes.get(inputs[0]!) : undefined;
    const time = times.get(name);
    if (!shape || time === undefined) continue;
    us += time;
    elements += elementCount(shape);
  }
  return elements > 0 ? us / elements : 0;
}

/** Elements that go in and out of a group: each is converted once more than in a network that is int8 throughout. */
function borderElements(graph: Graph, nodes: readonly string[], shapes: Shapes): number {
  const inside = new Set(nodes);
  const count = (values: readonly string[]): number =>
    values.reduce((sum, value) => sum + (graph.constants.has(value) ? 0 : elementCount(shapes.get(value) ?? [0])), 0);
  return graph.nodes.reduce((sum, { name, inputs, outputs }) => {
    if (!inside.has(name)) return sum;
    const entering = inputs.filter((value) => value && !inside.has(graph.producer(value)?.name ?? ''));
    const leaving = outputs.filter((value) => graph.consumers(value).some((reader) => !inside.has(reader.name)));
    return sum + count(entering) + count(leaving);
  }, 0);
}
