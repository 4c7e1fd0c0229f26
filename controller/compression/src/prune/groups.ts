/** Prunable groups: the classes of channels that the same operators make and the same operators read. */
import type { Node } from '../onnx/node.js';
import type { Trace } from './trace.js';

/** One channel that can be removed, with all places that go with it. */
export interface Channel {
  /** The class in the trace. */
  readonly root: number;
  /** How many channels of a producer it stands for: a slot of a grouped convolution stands for one in every group. */
  readonly width: number;
}

export interface Group {
  /** The first producer's name; a number tells apart groups that it makes for different readers. */
  readonly id: string;
  readonly producers: readonly Node[];
  readonly consumers: readonly Node[];
  readonly channels: readonly Channel[];
}

export interface Frozen {
  readonly node: string;
  readonly channels: number;
  readonly reason: string;
}

export interface Groups {
  readonly prunable: readonly Group[];
  /** What must keep its width, and why. */
  readonly frozen: readonly Frozen[];
}

export function findGroups({ classes, producers, consumers }: Trace): Groups {
  const made = nodesByClass(producers);
  const read = nodesByClass(consumers);
  const widths = new Map<number, number>();
  const frozen: Frozen[] = [];
  for (const { node, labels } of producers) {
    const roots = labels.map((label) => classes.find(label));
    for (const root of new Set(roots)) {
      const width = roots.filter((one) => one === root).length;
      widths.set(root, Math.max(width, widths.get(root) ?? 0));
    }
    const stuck = roots.filter((root) => classes.whyFrozen(root) !== null);
    if (stuck.length > 0) {
      frozen.push({ node: node.name, channels: stuck.length, reason: classes.whyFrozen(stuck[0]!)! });
    }
  }
  const groups = new Map<string, { producers: Node[]; consumers: Node[]; channels: Channel[] }>();
  for (const [root, makers] of made) {
    if (classes.whyFrozen(root) !== null) continue;
    const readers = read.get(root) ?? [];
    const key = [makers, readers].map((nodes) => nodes.map(({ name }) => name).join('\0')).join('\0\0');
    const group = groups.get(key) ?? { producers: makers, consumers: readers, channels: [] };
    group.channels.push({ root, width: widths.get(root) ?? 1 });
    groups.set(key, group);
  }
  const named = new Map<string, number>();
  const prunable = [...groups.values()].map((group) => {
    const { name } = group.producers[0]!;
    const before = named.get(name) ?? 0;
    named.set(name, before + 1);
    return { id: before === 0 ? name : `${name} #${before + 1}`, ...group };
  });
  return { prunable, frozen };

  function nodesByClass(ends: Trace['producers']): Map<number, Node[]> {
    const found = new Map<number, Node[]>();
    for (const { node, labels } of ends) {
      for (const root of new Set(labels.map((label) => classes.find(label)))) {
        found.set(root, [...(found.get(root) ?? []), node]);
      }
    }
    return found;
  }
}

/** True when one operator alone makes the channels: no residual connection ties them to others. */
export const isInner = ({ producers }: Group): boolean => producers.length === 1;
