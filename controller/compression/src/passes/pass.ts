import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { verify } from '../onnx/verify.js';

export type Match<Found> =
  | { readonly ok: true; readonly found: Found }
  | { readonly ok: false; readonly reason: string };

export const no = (reason: string): { ok: false; reason: string } => ({ ok: false, reason });
export const yes = <Found>(found: Found): { ok: true; found: Found } => ({ ok: true, found });

/** A pattern and a rewrite. `match` only looks, and says why not; `rewrite` edits the graph and leaves it valid. */
export interface PassDefinition<Found> {
  readonly name: string;
  /** The operators at which the pattern is tried; empty for every node. */
  readonly anchors: readonly string[];
  match(graph: Graph, node: Node): Match<Found>;
  rewrite(graph: Graph, found: Found): void;
}

export interface PassRecord {
  readonly name: string;
  readonly applied: number;
  readonly reasons: string[];
}

export interface Pass {
  readonly name: string;
  run(graph: Graph): PassRecord;
}

/** Makes a runnable pass: tries every anchor once, rewrites where it matches, collects the reasons where not. */
export function definePass<Found>(definition: PassDefinition<Found>): Pass {
  const { name, anchors } = definition;
  return {
    name,
    run(graph) {
      let applied = 0;
      const reasons: string[] = [];
      for (const node of graph.nodes) {
        if (anchors.length > 0 && (node.domain !== '' || !anchors.includes(node.opType))) continue;
        if (!graph.has(node)) continue;
        const match = definition.match(graph, node);
        if (match.ok) {
          definition.rewrite(graph, match.found);
          applied++;
        } else if (match.reason) {
          reasons.push(`${node.name}: ${match.reason}`);
        }
      }
      return { name, applied, reasons };
    },
  };
}

/** Runs passes in order, in place, with the verifier after each: a broken graph is caught where it broke. */
export function runPasses(graph: Graph, passes: readonly Pass[]): PassRecord[] {
  verify(graph, 'what came before');
  return passes.map((pass) => {
    const record = pass.run(graph);
    graph.sort();
    verify(graph, pass.name);
    return record;
  });
}
