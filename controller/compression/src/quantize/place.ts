import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { floatsOf, numbersOf } from '../onnx/tensor.js';
import type { Range } from './affine.js';
import { floatValues } from './float-values.js';
import { beyondLimits } from './limits.js';
import { placeOnInputs } from './place-inputs.js';
import { clipBounds, type Decision, float, type Plan, WEIGHTED, whyNotWeighted } from './plan.js';

export { clipBounds, type Decision, type Plan, planKey, WEIGHTED } from './plan.js';

interface Placement extends Plan {
  readonly fixed: Map<string, Range>;
  /** The whole network is to be integer: what may be, since it is float, and stays so only for want of a kernel. */
  readonly everywhere: ReadonlySet<string> | null;
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
  if (profile.placement.at === 'weighted-inputs') return placeOnInputs(graph, profile, excluded);
  const everywhere = profile.placement.at === 'all-edges' ? floatValues(graph) : null;
  const placement: Placement = {
    everywhere,
    graph,
    profile,
    excluded,
    decisions: new Map(),
    values: new Set(),
    ties: [],
    fixed: new Map(),
    int8: new Set(graph.inputs.map(({ name }) => name).filter((name) => everywhere?.has(name))),
  };
  for (const node of graph.nodes) placement.decisions.set(node.name, decide(placement, node));
  const { decisions, values, ties, fixed } = placement;
  return { decisions, values, ties, fixed };
}

function decide(at: Placement, node: Node): Decision {
  const { graph, profile } = at;
  if (at.excluded.has(node.name) && !at.everywhere) return float(at.excluded.get(node.name)!);
  if (node.domain !== '') return float(`operators of domain ${node.domain} are left as they are`);
  const { fusion } = profile;
  if (fusion.float[node.opType]) return float(fusion.float[node.opType]!);
  const reason = whyNotInt8(at, node);
  if (isAbsorbed(at, node)) {
    const before = node.inputs[0]!;
    at.values.delete(before);
    at.values.add(node.outputs[0]!);
    at.int8.add(node.outputs[0]!);
    return { kind: 'absorbed' };
  }
  if (reason === null) {
    take(at, node);
    return { kind: 'int8' };
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
  const beyond = beyondLimits(graph, node, profile);
  if (beyond !== null) return beyond;
  if (WEIGHTED.has(node.opType)) return whyNotWeighted(graph, node);
  const inputs = node.inputs.filter(Boolean);
  const constant = inputs.find((value) => graph.constants.has(value));
  if (constant && !floatsOf(graph.constants.get(constant)!)) return `${constant} is not a float constant`;
  const others = inputs.filter((value) => !graph.constants.has(value));
  if (at.everywhere) return others.every((value) => at.everywhere?.has(value)) ? null : 'it computes with integers';
  // Concat and pools read what is already int8; next to float nodes only, Q and DQ would cost more than they save.
  if (!others.some((value) => at.int8.has(value))) return 'none of its inputs is int8, so conversion would cost more';
  if (node.opType === 'Concat' && others.some((value) => !at.int8.has(value))) {
    return 'one of its inputs is float, and a Concat is int8 only as a whole';
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
  const range = profile.fusion.fixedRange[node.opType];
  if (range) at.fixed.set(output, { min: range[0], max: range[1] });
  if (!profile.fusion.unify.includes(node.opType) || at.excluded.has(node.name)) return;
  const shared = inputs.filter((value) => !graph.constants.has(value));
  const partner = node.opType === 'Concat' ? output : shared[0]!;
  for (const value of shared) if (value !== partner) at.ties.push([value, partner]);
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

/** Pad and MaxPool carry int8 exactly when they add nothing but zero, and make one output. */
function carriesExactly(graph: Graph, node: Node): boolean {
  if (node.outputs.filter(Boolean).length !== 1) return false;
  if (node.opType !== 'Pad') return true;
  const mode = node.attributes.get('mode');
  const value = node.inputs[2] ? graph.constantOf(node, 2) : undefined;
  if (node.inputs[2] && (!value || numbersOf(value)[0] !== 0)) return false;
  return !mode || new TextDecoder().decode(mode.s) === 'constant';
}
