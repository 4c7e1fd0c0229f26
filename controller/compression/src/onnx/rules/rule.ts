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
  /** True for what is held against a file only: a rewrite makes more of its shapes known, and is not to blame. */
  readonly isOfFile?: boolean;
  readonly find: (graph: Graph) => Iterable<Finding>;
}
