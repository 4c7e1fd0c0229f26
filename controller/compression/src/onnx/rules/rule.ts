import type { Graph } from '../graph.js';

/** What is wrong, and at which node or value. */
export interface Finding {
  readonly at: string;
  readonly why: string;
}

/** One thing that holds in every valid graph: a generator of what breaks it, so that a graph with none is valid. */
export interface Rule {
  readonly name: string;
  /** The text that asks for it. */
  readonly clause: string;
  readonly find: (graph: Graph) => Iterable<Finding>;
}
