/** What every way of storing or computing a model in fewer bits without calibration shares. */
import type { NodeReport } from '@espalier/proto';
import type { HardwareProfile } from '../hardware/profile.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { verify } from '../onnx/verify.js';
import { removeDead } from '../passes/remove-dead.js';

/** A model in another precision, and what became of each node that computes. */
export interface Transformed {
  readonly graph: Graph;
  readonly nodes: readonly NodeReport[];
}

/** Leaves the graph as it is. Pure. */
export type Transformation = (graph: Graph, profile: HardwareProfile) => Transformed | { readonly why: string };

/** What becomes of one node: the precision it now has, or why it stays in float. */
export type Outcome = { readonly precision: string } | { readonly why: string };

/**
 * Rewrites node by node, in a copy.
 * @param rewrite edits the copy and says what it did; null for nodes that have no weights and are not spoken of
 * @param none why nothing could be done, where nothing was
 */
export function rewriteEach(
  graph: Graph,
  pass: string,
  rewrite: (graph: Graph, node: Node) => Outcome | null,
  none: string,
): Transformed | { why: string } {
  const copy = cloneGraph(graph);
  const nodes: NodeReport[] = [];
  for (const node of [...copy.nodes]) {
    const { name, opType: op } = node;
    const outcome = rewrite(copy, node);
    if (!outcome) continue;
    const precision = 'precision' in outcome ? outcome.precision : 'float32';
    nodes.push({ name, op, precision, share: null, reason: 'why' in outcome ? outcome.why : null });
  }
  if (nodes.every(({ reason }) => reason !== null)) {
    return { why: [none, ...nodes.map(({ name, reason }) => `${name}: ${reason}`).slice(0, 3)].join('; ') };
  }
  copy.sort();
  removeDead.run(copy);
  verify(copy, pass);
  return { graph: copy, nodes };
}
