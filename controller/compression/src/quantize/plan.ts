import type { Graph } from '../onnx/graph.js';
import { floatOf, intOf, type Node } from '../onnx/node.js';
import { elementCount, floatsOf, numbersOf } from '../onnx/tensor.js';
import type { Range } from './affine.js';

/**
 * What becomes of a node: an int8 kernel, for the reason `wide` with activations of 16 bits, int8 data carried through, gone into its producer, computed
 * there by the device's compiler although it still stands in the graph, or float for a reason.
 */
export type Decision =
  | { readonly kind: 'int8'; readonly wide?: string }
  | { readonly kind: 'carry' }
  | { readonly kind: 'absorbed' }
  | { readonly kind: 'fused' }
  | { readonly kind: 'float'; readonly reason: string };

export interface Plan {
  /** By node name. */
  readonly decisions: Map<string, Decision>;
  /** Values that get int8 parameters: what the calibration observes. An absorbed node's output stands for its input. */
  readonly values: Set<string>;
  /** Values that must share one scale: [value, its partner]. */
  readonly ties: [string, string][];
  /** Values whose range the kernels have built in. */
  readonly fixed: ReadonlyMap<string, Range>;
  /** Where only some readers get a value through its pair: value to their names. Without it every int8 node does. */
  readonly readers?: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What a plan decides, without the reasons: two with the same key give the same graph. */
export const planKey = ({ decisions, values, ties, fixed, readers }: Plan): string =>
  JSON.stringify([
    [...decisions].map(([node, one]) => [node, one.kind, one.kind === 'int8' && one.wide !== undefined]),
    [[...values], ties, [...fixed]],
    readers ? [...readers].map(([value, names]) => [value, [...names]]) : null,
  ]);

export const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** The plan with these nodes' activations in 16 bits, each for its reason; the others stay as they are. Pure. */
export function raised(plan: Plan, reasons: ReadonlyMap<string, string>): Plan {
  const decisions = [...plan.decisions].map(([node, one]): [string, Decision] => {
    const wide = reasons.get(node);
    return [node, one.kind === 'int8' && wide !== undefined ? { kind: 'int8', wide } : one];
  });
  return { ...plan, decisions: new Map(decisions) };
}

export const float = (reason: string): Decision => ({ kind: 'float', reason });

/** Null when the constants of a weighted operator can be quantized, otherwise why not. */
export function whyNotWeighted(graph: Graph, node: Node): string | null {
  const weights = graph.constantOf(node, 1);
  if (!weights || !floatsOf(weights)) return 'its weights are not a float constant';
  if (graph.constants.has(node.inputs[0]!)) return 'its input is a constant';
  if (node.opType === 'ConvTranspose' && intOf(node, 'group', 1) !== 1) {
    return 'its groups share the scales of their channels';
  }
  if (node.opType === 'MatMul' && weights.dims.length !== 2) return 'its weights are not a matrix';
  if (node.opType === 'Gemm' && (floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1)) {
    return 'alpha or beta could not be moved into its constants';
  }
  if (node.inputs[2] && !graph.constantOf(node, 2)) return 'its bias is not a constant';
  if (node.opType === 'Gemm' && node.inputs[2] && elementCount(graph.constantOf(node, 2)!.dims) > 1) {
    const { dims } = graph.constantOf(node, 2)!;
    if (elementCount(dims.slice(0, -1)) !== 1) return 'its C differs from row to row';
  }
  return null;
}

/** The bounds of a Clip when they are constants (or absent), else null.   [ONNX Clip-13] */
export function clipBounds(graph: Graph, node: Node): { min: number; max: number } | null {
  const bound = (input: number, otherwise: number): number | null => {
    if (!node.inputs[input]) return otherwise;
    const tensor = graph.constantOf(node, input);
    return tensor ? (numbersOf(tensor)[0] ?? otherwise) : null;
  };
  const min = bound(1, Number.NEGATIVE_INFINITY);
  const max = bound(2, Number.POSITIVE_INFINITY);
  return min === null || max === null ? null : { min, max };
}
