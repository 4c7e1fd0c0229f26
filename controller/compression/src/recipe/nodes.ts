import type { NodeReport } from '@espalier/proto';
import type { Graph } from '../onnx/graph.js';
import { isConversion, type Node } from '../onnx/node.js';
import { Type } from '../onnx/tensor.js';
import type { Transformed } from '../precision/transform.js';
import type { Decision, Plan } from '../quantize/place.js';

/** Operators that only move or reinterpret data: they stand in no precision of their own. */
const MOVES = new Set(
  (
    'Cast Concat DepthToSpace Expand Flatten Gather Identity Pad ReorderInput ReorderOutput Reshape Shape Size Slice ' +
    'SpaceToDepth Split Squeeze Tile Transpose Unsqueeze Constant ConstantOfShape Range'
  ).split(' '),
);
const INT8 = /^(QLinear\w+|QGemm|ConvInteger|MatMulInteger\w*|DynamicQuantize\w+|QAttention)$/;

export interface FloatNode {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

export interface NodeFigures {
  readonly nodes: NodeReport[];
  /** Nodes that compute in float although the recipe wanted int8. */
  readonly floatNodes: FloatNode[];
  /** Nodes that were planned for int8 and still run in float: a fault of the build. */
  readonly missed: string[];
}

/** ONNX Runtime ends the names of nodes it made, moved or gave another layout with these. */
const plainName = (node: Node): string => (node.name || node.outputs[0] || '').replace(/(_token_\d+|_nchwc)+$/, '');

/** The precision each value is in, forward from the inputs: the saved graph carries no types of inner values. */
function precisions(graph: Graph): Map<string, string> {
  const found = new Map<string, string>();
  for (const input of graph.inputs) {
    const type = input.type?.value.case === 'tensorType' ? (input.type.value.value.elemType as Type) : Type.FLOAT;
    found.set(
      input.name,
      type === Type.UINT8 || type === Type.INT8 ? 'int8' : type === Type.FLOAT ? 'float32' : 'other',
    );
  }
  for (const [name, { type }] of graph.constants) found.set(name, type === Type.FLOAT ? 'float32' : 'other');
  for (const node of graph.nodes) {
    for (const output of node.outputs) found.set(output, madePrecision(node, found));
  }
  return found;
}

function madePrecision(node: Node, known: ReadonlyMap<string, string>): string {
  if (node.opType === 'DequantizeLinear') return 'float32';
  if (node.opType === 'QuantizeLinear' || INT8.test(node.opType)) return 'int8';
  if (node.opType === 'Shape' || node.opType === 'Size') return 'other';
  return known.get(node.inputs.find(Boolean) ?? '') ?? 'float32';
}

/**
 * What the runtime made of a model: the nodes that compute in the graph it saved after its own optimizations.
 * @param prepared the float graph the plan was made for; null for a float build, where nothing is expected to be int8
 * @param shares what share of a run each node takes; null when that is not measured
 */
export function describeNodes(
  optimized: Graph,
  prepared: { graph: Graph; plan: Plan } | null,
  shares: ReadonlyMap<Node, number> | null = null,
): NodeFigures {
  const nodes: NodeReport[] = [];
  const floatNodes: FloatNode[] = [];
  const missed: string[] = [];
  const known = precisions(optimized);
  for (const node of optimized.nodes) {
    if (MOVES.has(node.opType) || isConversion(node)) continue;
    const precision = INT8.test(node.opType) ? 'int8' : (known.get(node.outputs[0]!) ?? 'float32');
    const name = plainName(node);
    let reason: string | null = null;
    if (prepared && precision === 'float32') {
      const decision = decisionOf(node, prepared);
      reason = whyFloat(node, decision);
      floatNodes.push({ node: name, op: node.opType, reason });
      if (decision?.kind === 'int8') missed.push(name);
    }
    nodes.push({ name, op: node.opType, precision, share: shares?.get(node) ?? null, reason });
  }
  return { nodes, floatNodes, missed };
}

/** The nodes as they were planned, for a runtime that is not here: its own compiler has the last word. */
export function plannedNodes({ graph, plan }: { graph: Graph; plan: Plan }): NodeFigures {
  const computing = graph.nodes.filter(({ opType }) => !MOVES.has(opType));
  const nodes = computing.flatMap(({ name, opType: op }): NodeReport[] => {
    const decision = plan.decisions.get(name);
    if (decision?.kind === 'absorbed' || decision?.kind === 'fused') return [];
    const reason = decision?.kind === 'float' ? decision.reason : null;
    const wide = decision?.kind === 'int8' ? (decision.wide ?? null) : null;
    const precision = reason !== null ? 'float32' : wide !== null ? 'int8-16' : 'int8';
    return [{ name, op, precision, share: null, reason: reason ?? wide }];
  });
  const floatNodes = nodes.flatMap(({ name: node, op, precision, reason }) =>
    precision === 'float32' && reason !== null ? [{ node, op, reason }] : [],
  );
  return { nodes, floatNodes, missed: [] };
}

/** The nodes of a model in another precision, as they were written. */
export function transformedNodes({ nodes }: Transformed): NodeFigures {
  const floatNodes = nodes.flatMap(({ name: node, op, reason }) => (reason === null ? [] : [{ node, op, reason }]));
  return { nodes: [...nodes], floatNodes, missed: [] };
}

/** The runtime keeps a node's name, or after a fusion at least the name of the value it makes. */
function decisionOf(node: Node, { graph, plan }: { graph: Graph; plan: Plan }): Decision | undefined {
  const maker = graph.producer(node.outputs[0] ?? '') ?? graph.producer(plainName(node));
  return plan.decisions.get(plainName(node)) ?? (maker ? plan.decisions.get(maker.name) : undefined);
}

function whyFloat(node: Node, decision: Decision | undefined): string {
  if (decision?.kind === 'float') return decision.reason;
  if (decision) return 'it was planned for int8, but ONNX Runtime did not take its quantization';
  return `ONNX Runtime made this ${node.opType} itself, and runs it in float`;
}
