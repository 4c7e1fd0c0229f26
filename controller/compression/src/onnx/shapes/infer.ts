import type { Graph } from '../graph.js';
import { type Node, tensorOf } from '../node.js';
import { SHAPE_RULES } from './operators.js';
import { agree, declaredShape, merge, type Shape } from './shape.js';

/** Older operators broadcast by an attribute of their own. */
const OPSET_MIN = 7;

/** A value whose written shape is not what its operator makes. */
export interface ShapeConflict {
  readonly value: string;
  readonly node: Node;
  readonly declared: Shape;
  readonly made: Shape;
}

export interface Shapes {
  readonly of: (value: string) => Shape;
  readonly conflicts: readonly ShapeConflict[];
  /** True below opset 7, where operators follow other rules: then only what is declared is known. */
  readonly areOfOldOperators: boolean;
}

/**
 * The shape of every value, forward from inputs and constants: what the operator makes, completed by what is declared;
 * null where neither says. The nodes must be in topological order.
 */
export function inferShapes(graph: Graph): Shapes {
  const declared = new Map([...graph.shell.graph!.valueInfo, ...graph.outputs].map((info) => [info.name, info]));
  const known = new Map<string, Shape>(graph.inputs.map((input) => [input.name, declaredShape(input)]));
  const conflicts: ShapeConflict[] = [];
  const of = (value: string): Shape => graph.constants.get(value)?.dims ?? known.get(value) ?? null;
  const areOfOldOperators = graph.opset() < OPSET_MIN;
  for (const node of graph.nodes) {
    for (const [at, value] of node.outputs.entries()) {
      if (!value) continue;
      const info = declared.get(value);
      const said = info ? declaredShape(info) : null;
      const made = at === 0 && node.domain === '' && !areOfOldOperators ? madeShape(node, of) : null;
      if (made && said && !agree(made, said)) conflicts.push({ value, node, declared: said, made });
      known.set(value, merge(made, said));
    }
  }
  return { of, conflicts, areOfOldOperators };
}

function madeShape(node: Node, of: (value: string) => Shape): Shape {
  if (node.opType === 'Constant') return tensorOf(node, 'value')?.dims ?? null;
  const rule = SHAPE_RULES.get(node.opType);
  return rule ? rule(node, node.inputs.map(of)) : null;
}
