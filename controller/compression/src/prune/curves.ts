/** What each width of a group would cost: in error by its order of removal, in cost by its places. */
import type { Graph } from '../onnx/graph.js';
import type { Group } from './groups.js';
import type { Removal } from './importance.js';
import { type CostModel, isDepthwise } from './macs.js';
import type { Trace } from './trace.js';
import { candidateWidths, type WidthCurve } from './widths.js';

export interface Alignment {
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly depthwiseChannels: number;
}

const greatestCommon = (a: number, b: number): number => (b === 0 ? a : greatestCommon(b, a % b));
const leastCommon = (a: number, b: number): number => (a * b) / greatestCommon(a, b);

/** The widths that the kernels of a precision like. */
export function alignmentOf(
  alignment: Alignment & { readonly float32Channels: number | null },
  isInt8: boolean,
): Alignment {
  const { float32Channels: width } = alignment;
  return isInt8 || width === null
    ? alignment
    : { inputChannels: width, outputChannels: width, depthwiseChannels: width };
}

/** Nodes in which a group has channels: its producers, its readers, and the depthwise convolutions between. */
const nodesOf = (trace: Trace, group: Group) => {
  const roots = new Set(group.channels.map(({ root }) => root));
  const holds = (labels: readonly number[]): number =>
    labels.filter((label) => roots.has(trace.classes.find(label))).length / labels.length;
  const shares = new Map<Trace['slices'][number]['node'], number>();
  for (const { node, input, labels } of trace.slices) {
    if (input === 1) shares.set(node, Math.max(shares.get(node) ?? 0, holds(labels)));
  }
  return [...shares].filter(([, share]) => share > 0);
};

/** Steps in which a group may shrink so that every kernel it touches keeps the widths it is fast at. */
export function stepOf(graph: Graph, trace: Trace, group: Group, alignment: Alignment): number {
  const carried = nodesOf(trace, group).some(([node]) => isDepthwise(graph, node));
  const channels = [alignment.inputChannels, alignment.outputChannels, carried ? alignment.depthwiseChannels : 1];
  const width = Math.max(...group.channels.map((channel) => channel.width));
  return Math.max(1, Math.ceil(channels.reduce(leastCommon, 1) / width));
}

/** The curve of a group; other groups are taken at their full width, so costs add up only nearly. */
export function curveOf(
  graph: Graph,
  trace: Trace,
  group: Group,
  removal: Removal,
  step: number,
  shapes: ReadonlyMap<string, readonly number[]>,
  cost: CostModel,
): WidthCurve {
  const size = group.channels.length;
  const widths = candidateWidths(size, step);
  const all = nodesOf(trace, group).reduce((sum, [node, share]) => sum + share * cost.ofNode(graph, node, shapes), 0);
  return {
    id: group.id,
    widths,
    errors: widths.map((width) => removal.errors[size - width] ?? Number.POSITIVE_INFINITY),
    costs: widths.map((width) => (all * width) / size),
  };
}
