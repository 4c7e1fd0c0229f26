import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { inferShapes } from '../onnx/shapes/infer.js';
import { beyondLimits, tooNarrow } from './limits.js';
import { type Decision, float, type Plan, WEIGHTED, whyNotWeighted } from './plan.js';

/**
 * Q/DQ on what weighted operators read, and on the shortcut operand of a residual Add, and nowhere else: what follows
 * a convolution is fused with it, which a pair on its output would prevent. Pure.
 * [TensorRT developer guide, "Q/DQ placement recommendations"]
 */
export function placeOnInputs(
  graph: Graph,
  profile: HardwareProfile,
  excluded: ReadonlyMap<string, string> = new Map(),
): Plan {
  const shapes = inferShapes(graph);
  const rowsOf = ({ inputs }: Node): number | null => shapes.of(inputs[0]!)?.at(-2) ?? profile.shapes.batch;
  const decisions = new Map<string, Decision>();
  const readers = new Map<string, Set<string>>();
  const read = (value: string, node: Node): void => {
    readers.set(value, (readers.get(value) ?? new Set()).add(node.name));
  };
  for (const node of graph.nodes) {
    const reason = excluded.get(node.name) ?? whyFloat(graph, profile, node, rowsOf(node));
    decisions.set(node.name, reason === null ? { kind: 'int8' } : float(reason));
    if (reason === null) read(node.inputs[0]!, node);
  }
  for (const node of graph.nodes) {
    const isSum = profile.placement.residual.includes(node.opType) && !excluded.has(node.name);
    const shortcut = isSum ? shortcutOf(graph, node, decisions) : null;
    if (!shortcut) continue;
    decisions.set(node.name, { kind: 'int8' });
    read(shortcut, node);
  }
  for (const node of graph.nodes)
    if (isFused(graph, profile, node, decisions)) decisions.set(node.name, { kind: 'fused' });
  const values = new Set(readers.keys());
  return { decisions, values, readers, fixed: new Map(), ties: tiesOf(graph, profile, values) };
}

function whyFloat(graph: Graph, profile: HardwareProfile, node: Node, rows: number | null): string | null {
  if (node.domain !== '') return `operators of domain ${node.domain} are left as they are`;
  const forbidden = profile.fusion.float[node.opType];
  if (forbidden) return forbidden;
  if (!profile.fusion.int8.includes(node.opType) || !WEIGHTED.has(node.opType)) {
    return `${profile.id} takes its precision from what it is fused with`;
  }
  return (
    whyNotWeighted(graph, node) ?? beyondLimits(graph, node, profile) ?? tooNarrow(graph, node, profile.narrow, rows)
  );
}

/** The operand of a residual sum that does not come straight from an int8 convolution which only the sum reads. */
function shortcutOf(graph: Graph, node: Node, decisions: ReadonlyMap<string, Decision>): string | null {
  const [a, b] = node.inputs;
  if (!a || !b || a === b || graph.constants.has(a) || graph.constants.has(b)) return null;
  const joins = (value: string): boolean => {
    const made = graph.producer(value);
    return made?.opType === 'Conv' && decisions.get(made.name)?.kind === 'int8' && graph.isSoleUse(value, node);
  };
  if (joins(a)) return b;
  return joins(b) ? a : null;
}

/** The next link of a chain that the compiler makes one kernel of, behind a node that is int8. */
function isFused(
  graph: Graph,
  { fusion }: HardwareProfile,
  node: Node,
  decisions: ReadonlyMap<string, Decision>,
): boolean {
  if (decisions.get(node.name)?.kind !== 'float') return false;
  return node.inputs.some((value) => {
    const made = graph.producer(value);
    const kind = made && decisions.get(made.name)?.kind;
    if (!made || (kind !== 'int8' && kind !== 'fused') || !graph.isSoleUse(value, node)) return false;
    return fusion.patterns.some((chain) => chain.some((op, at) => op === made.opType && chain[at + 1] === node.opType));
  });
}

/** Operands and output of a Concat share one scale where they have one. */
function tiesOf(graph: Graph, profile: HardwareProfile, values: ReadonlySet<string>): [string, string][] {
  return graph.nodes
    .filter(({ opType }) => profile.fusion.unify.includes(opType))
    .flatMap((node) => {
      const [first, ...others] = [...node.outputs, ...node.inputs].filter((value) => values.has(value));
      return others.map((value): [string, string] => [first!, value]);
    });
}
