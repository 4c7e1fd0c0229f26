import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import { floatOf, type Node } from '../onnx/node.js';
import { elementCount, floatsOf, numbersOf } from '../onnx/tensor.js';

/** What becomes of a node: an int8 kernel, int8 data carried through, gone into its producer, or float for a reason. */
export type Decision =
  | { readonly kind: 'int8' }
  | { readonly kind: 'carry' }
  | { readonly kind: 'absorbed' }
  | { readonly kind: 'float'; readonly reason: string };

export interface Plan {
  /** By node name. */
  readonly decisions: Map<string, Decision>;
  /** Values that get int8 parameters: what the calibration observes. An absorbed node's output stands for its input. */
  readonly values: Set<string>;
  /** Values that must share one scale: [value, its partner]. */
  readonly ties: [string, string][];
}

export const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul']);

interface Placement extends Plan {
  readonly graph: Graph;
  readonly profile: HardwareProfile;
  readonly excluded: ReadonlyMap<string, string>;
  /** Values that an int8 node makes or carries. */
  readonly int8: Set<string>;
}

/**
 * Decides, node by node in topological order, where the profile's runtime will compute in int8. Pure.
 * @param excluded nodes that must stay float, each with its reason
 */
export function placeQuantizers(
  graph: Graph,
  profile: HardwareProfile,
  excluded: ReadonlyMap<string, string> = new Map(),
): Plan {
  const placement: Placement = {
    graph,
    profile,
    excluded,
    decisions: new Map(),
    values: new Set(),
    ties: [],
    int8: new Set(),
  };
  for (const node of graph.nodes) placement.decisions.set(node.name, decide(placement, node));
  const { decisions, values, ties } = placement;
  return { decisions, values, ties };
}

const float = (reason: string): Decision => ({ kind: 'float', reason });

function decide(at: Placement, node: Node): Decision {
  const { graph, profile } = at;
  if (at.excluded.has(node.name)) return float(at.excluded.get(node.name)!);
  if (node.domain !== '') return float(`operators of domain ${node.domain} are left as they are`);
  const { fusion } = profile;
  if (fusion.float[node.opType]) return float(fusion.float[node.opType]!);
  const reason = whyNotInt8(at, node);
  if (reason === null) {
    take(at, node);
    return { kind: 'int8' };
  }
  if (isAbsorbed(at, node)) {
    const before = node.inputs[0]!;
    at.values.delete(before);
    at.values.add(node.outputs[0]!);
    at.int8.add(node.outputs[0]!);
    return { kind: 'absorbed' };
  }
  if (fusion.carry.includes(node.opType) && at.int8.has(node.inputs[0]!) && carriesExactly(graph, node)) {
    const [input, output] = [node.inputs[0]!, node.outputs[0]!];
    for (const value of [input, output]) at.values.add(value);
    at.int8.add(output);
    at.ties.push([input, output]);
    return { kind: 'carry' };
  }
  return float(reason);
}

/** Null when the node gets an int8 kernel, otherwise why not. */
function whyNotInt8(at: Placement, node: Node): string | null {
  const { graph, profile } = at;
  if (!profile.fusion.int8.includes(node.opType)) {
    return `${node.opType} has no int8 kernel on ${profile.id}`;
  }
  if (WEIGHTED.has(node.opType)) return whyNotWeighted(graph, node);
  const inputs = node.inputs.filter(Boolean);
  const constant = inputs.find((value) => graph.constants.has(value));
  if (constant && !floatsOf(graph.constants.get(constant)!)) return `${constant} is not a float constant`;
  // Concat and pools read what is already int8; next to float nodes only, Q and DQ would cost more than they save.
  const others = inputs.filter((value) => !graph.constants.has(value));
  if (!others.some((value) => at.int8.has(value))) return 'none of its inputs is int8, so conversion would cost more';
  if (node.opType === 'Concat' && others.some((value) => !at.int8.has(value))) {
    return 'one of its inputs is float, and a Concat is int8 only as a whole';
  }
  return null;
}

function whyNotWeighted(graph: Graph, node: Node): string | null {
  const weights = graph.constantOf(node, 1);
  if (!weights || !floatsOf(weights)) return 'its weights are not a float constant';
  if (graph.constants.has(node.inputs[0]!)) return 'its input is a constant';
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

/** The node reads and makes int8 values. A last node that can give float keeps its output as it is. */
function take(at: Placement, node: Node): void {
  const { graph, profile } = at;
  const inputs = WEIGHTED.has(node.opType) ? node.inputs.slice(0, 1) : node.inputs.filter(Boolean);
  for (const value of inputs) at.values.add(value);
  const output = node.outputs[0]!;
  const last = graph.isOutput(output) && graph.consumers(output).length === 0;
  if (last && profile.fusion.floatOutput.includes(node.opType)) return;
  at.values.add(output);
  at.int8.add(output);
  if (node.opType === 'Concat') for (const value of inputs) at.ties.push([value, output]);
}

/**
 * Relu, or Clip whose bounds hold zero, right behind an int8 node: the quantized range starts where the activation
 * does, so quantization itself clips, and the runtime needs no node for it.
 */
function isAbsorbed(at: Placement, node: Node): boolean {
  const { graph, profile } = at;
  const input = node.inputs[0]!;
  if (!profile.fusion.absorb.includes(node.opType) || !at.int8.has(input) || !graph.isSoleUse(input, node))
    return false;
  const producer = graph.producer(input);
  if (!producer || at.decisions.get(producer.name)?.kind !== 'int8' || producer.opType === 'Concat') return false;
  if (node.opType === 'Relu') return true;
  const bounds = clipBounds(graph, node);
  return bounds !== null && bounds.min <= 0 && bounds.max >= 0;
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

/** Pad and MaxPool carry int8 exactly when they add nothing but zero, and make one output. */
function carriesExactly(graph: Graph, node: Node): boolean {
  if (node.outputs.filter(Boolean).length !== 1) return false;
  if (node.opType !== 'Pad') return true;
  const mode = node.attributes.get('mode');
  const value = node.inputs[2] ? graph.constantOf(node, 2) : undefined;
  if (node.inputs[2] && (!value || numbersOf(value)[0] !== 0)) return false;
  return !mode || new TextDecoder().decode(mode.s) === 'constant';
}
