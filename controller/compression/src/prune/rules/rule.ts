/** What the rules of operators speak in. */
import type { Graph } from '../../onnx/graph.js';
import type { Node } from '../../onnx/node.js';

/** The channels of a value: one number an element of the axes `axis` to `axis + span - 1`, row-major. */
export interface Channels {
  readonly axis: number;
  readonly span: number;
  readonly labels: readonly number[];
}

export type Keeps = (label: number) => boolean;

/** What a rule sees of one node, and how it says what it found. */
export interface RuleContext {
  readonly graph: Graph;
  readonly node: Node;
  /** Shape of a value as it was in a run; empty for an absent input. */
  shape(value: string): readonly number[];
  channels(value: string): Channels | null;
  set(value: string, channels: Channels | null): void;
  make(count: number): number[];
  unite(a: number, b: number): void;
  freeze(channels: Channels | null, reason: string): void;
  slice(input: number, axis: number, labels: readonly number[]): void;
  produces(labels: readonly number[]): void;
  consumes(labels: readonly number[]): void;
  edit(change: (graph: Graph, keeps: Keeps) => void): void;
}

/** Channels on one axis only, which is all that most operators can carry. */
export const onAxis = (channels: Channels | null, axis: number): readonly number[] | null =>
  channels && channels.span === 1 && channels.axis === axis ? channels.labels : null;

/** How many of these channels are left. */
export const keptCount = (labels: readonly number[], keeps: Keeps): number => labels.filter(keeps).length;

/** An axis, or an index, that may count from the end. */
export const fromStart = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export type Rule = (c: RuleContext) => void;
