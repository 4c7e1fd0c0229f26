/** Follows channels through a graph: which places hold the same channel, and what must change when one goes. */
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { elementCount } from '../onnx/tensor.js';
import { ChannelClasses } from './classes.js';
import { ruleOf } from './rules/index.js';
import type { Channels, Keeps } from './rules/rule.js';

/** A constant that loses the slices of removed channels along one axis. */
export interface Slice {
  readonly node: Node;
  readonly input: number;
  readonly axis: number;
  readonly labels: readonly number[];
}

/** The channel that an element of a tensor belongs to, by the element's flat index. */
export function labelOfElement(
  dims: readonly number[],
  axis: number,
  labels: readonly number[],
): (at: number) => number {
  const block = elementCount(dims.slice(axis + 1));
  return (at) => labels[Math.floor(at / block) % dims[axis]!]!;
}

/** A linear operator at one of its ends: it makes these channels, or mixes them into others. */
export interface Linear {
  readonly node: Node;
  readonly labels: readonly number[];
}

export interface Trace {
  readonly classes: ChannelClasses;
  readonly slices: readonly Slice[];
  readonly producers: readonly Linear[];
  readonly consumers: readonly Linear[];
  /** Changes of attributes and of constants that count channels; called once, with what is kept. */
  readonly edits: readonly ((graph: Graph, keeps: Keeps) => void)[];
}

/**
 * @param shapes shape of every value of the graph, from a run: symbolic inference would know less
 */
export function traceChannels(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>): Trace {
  const classes = new ChannelClasses();
  const values = new Map<string, Channels>();
  const [slices, producers, consumers]: [Slice[], Linear[], Linear[]] = [[], [], []];
  const edits: Trace['edits'][number][] = [];
  const freeze = (channels: Channels | null, reason: string): void => {
    for (const label of channels?.labels ?? []) classes.freeze(label, reason);
  };
  for (const node of graph.nodes) {
    const rule = ruleOf(node);
    if (!rule) {
      for (const input of node.inputs) freeze(values.get(input) ?? null, `${node.opType} (${node.name}) has no rule`);
      continue;
    }
    rule({
      ...{ graph, node, freeze },
      shape: (value) => graph.constants.get(value)?.dims ?? shapes.get(value) ?? [],
      channels: (value) => values.get(value) ?? null,
      set: (value, channels) => void (value && channels && values.set(value, channels)),
      make: (count) => classes.make(count),
      unite: (a, b) => classes.unite(a, b),
      slice: (input, axis, labels) => void slices.push({ node, input, axis, labels }),
      produces: (labels) => void producers.push({ node, labels }),
      consumes: (labels) => void consumers.push({ node, labels }),
      edit: (change) => void edits.push(change),
    });
  }
  for (const { name } of graph.outputs) freeze(values.get(name) ?? null, `${name} is an output of the model`);
  return { classes, slices, producers, consumers, edits };
}
