import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { floatsOf } from '../onnx/tensor.js';
import { clipBounds } from './plan.js';

/**
 * Values whose channels may be scaled together without changing what the model computes: whatever scales channel c of
 * one scales it in all. Convolutions make them (W and b are divided) and read them (W is multiplied).
 */
export interface ChannelSpace {
  readonly channels: number;
  readonly values: readonly string[];
  readonly producers: readonly Node[];
  readonly consumers: readonly Node[];
}

/** f(s x) = s f(x) for s > 0, channel by channel, from the first input to the output. */
const HOMOGENEOUS = new Set(['Relu', 'LeakyRelu', 'Add', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Clip']);

const constantConv = (graph: Graph, node: Node): boolean =>
  node.domain === '' &&
  node.opType === 'Conv' &&
  graph.constantOf(node, 1) !== undefined &&
  floatsOf(graph.constantOf(node, 1)!) !== null &&
  (!node.inputs[2] || graph.constantOf(node, 2) !== undefined);

/** Every channel its own group: the k-th input channel feeds the k-th filters only. */
export const isDepthwise = (graph: Graph, conv: Node): boolean => {
  const { dims } = graph.constantOf(conv, 1)!;
  return intOf(conv, 'group', 1) === dims[0] && dims[1] === 1;
};

/** Spaces in which both ends are convolutions with constant weights; the others cannot be scaled and are left out. */
export function channelSpaces(graph: Graph): ChannelSpace[] {
  const seen = new Set<string>();
  const found: ChannelSpace[] = [];
  for (const node of graph.nodes) {
    const value = node.outputs[0]!;
    if (seen.has(value) || !constantConv(graph, node)) continue;
    const space = grow(graph, value, seen);
    if (space) found.push(space);
  }
  return found;
}

/** Follows a value through the operators that carry its channels, both ways; null when one of them does not. */
function grow(graph: Graph, start: string, seen: Set<string>): ChannelSpace | null {
  const values: string[] = [];
  const producers = new Set<Node>();
  const consumers = new Set<Node>();
  let scalable = true;
  const queue = [start];
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    values.push(value);
    const producer = graph.producer(value);
    if (!producer || graph.isOutput(value)) scalable = false;
    else if (constantConv(graph, producer)) producers.add(producer);
    else if (carries(graph, producer)) queue.push(...carried(producer));
    else scalable = false;
    for (const reader of graph.consumers(value)) {
      if (constantConv(graph, reader) && reader.inputs[0] === value) consumers.add(reader);
      else if (carries(graph, reader)) queue.push(...carried(reader));
      else scalable = false;
    }
  }
  const counts = new Set([...producers].map((conv) => graph.constantOf(conv, 1)!.dims[0]!));
  const fits = [...consumers].every((conv) => inputChannels(graph, conv) === [...counts][0]);
  const grouped = [...consumers].some((conv) => intOf(conv, 'group', 1) !== 1 && !isDepthwise(graph, conv));
  if (!scalable || consumers.size === 0 || counts.size !== 1 || !fits || grouped) return null;
  return { channels: [...counts][0]!, values, producers: [...producers], consumers: [...consumers] };
}

const inputChannels = (graph: Graph, conv: Node): number =>
  graph.constantOf(conv, 1)!.dims[1]! * intOf(conv, 'group', 1);

const carried = (node: Node): string[] => [
  ...(node.opType === 'Add' ? node.inputs : node.inputs.slice(0, 1)),
  node.outputs[0]!,
];

function carries(graph: Graph, node: Node): boolean {
  if (node.domain !== '' || !HOMOGENEOUS.has(node.opType) || node.outputs.filter(Boolean).length !== 1) return false;
  if (node.opType === 'Add') return node.inputs.every((value) => !graph.constants.has(value));
  if (node.opType !== 'Clip') return true;
  const bounds = clipBounds(graph, node);
  return bounds !== null && bounds.min === 0;
}
