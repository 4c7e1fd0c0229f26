/**
 * Second moments of what a linear operator reads, and of what it should give, computed by the runtime beside the network:
 * X is the operator's input unfolded to [d, P] (P places of a batch), with a row of ones below, so that X Xᵀ
 * [d + 1, d + 1] holds the sums and the number of places too. Streamed: only the moments leave the runtime.
 */
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, intsAttribute, type Node } from '../onnx/node.js';
import { addPatches } from '../onnx/patches.js';
import { floatTensor, int64Tensor } from '../onnx/tensor.js';

const perm = (order: readonly number[]) => intsAttribute('perm', order);

/** Whether the moments of an operator's input can be taken: a dense Conv, Gemm or MatMul by a constant. */
export function hasMoments(graph: Graph, node: Node): boolean {
  if (!graph.constantOf(node, 1)) return false;
  if (node.opType === 'Conv') return intOf(node, 'group', 1) === 1;
  return (node.opType === 'Gemm' && intOf(node, 'transA', 0) === 0) || node.opType === 'MatMul';
}

const op = (graph: Graph, opType: string, inputs: string[], hint: string, attributes: ReturnType<typeof perm>[] = []) =>
  graph.add({ opType, inputs, outputs: [graph.freshName(hint)], attributes }).outputs[0]!;

/** Channels first, everything else in one axis: [channels, P]. */
function channelsFirst(graph: Graph, value: string, rank: number, hint: string): string {
  const order = [1, 0, ...Array.from({ length: rank - 2 }, (_, at) => at + 2)];
  const turned = op(graph, 'Transpose', [value], `${hint}/turned`, [perm(order)]);
  if (rank === 2) return turned;
  // The channels keep their number (0 copies the dimension), the rest is counted [Reshape-14].
  return op(graph, 'Reshape', [turned, graph.addConstant(`${hint}/flat`, int64Tensor([2], [0, -1]))], `${hint}/rows`);
}

/** X of an operator, [d + 1, P]. */
export function inputRows(graph: Graph, node: Node): string {
  let rows: string;
  if (node.opType === 'Conv') {
    rows = channelsFirst(graph, addPatches(graph, node), graph.constantOf(node, 1)!.dims.length, node.name);
  } else {
    const inner = graph.constantOf(node, 1)!.dims[intOf(node, 'transB', 0) === 1 ? 1 : 0]!;
    const shape = graph.addConstant(`${node.name}/inner`, int64Tensor([2], [-1, inner]));
    rows = channelsFirst(graph, op(graph, 'Reshape', [node.inputs[0]!, shape], `${node.name}/flat`), 2, node.name);
  }
  return withOnes(graph, rows, node.name);
}

/** Rows with a row of ones below: products then hold sums and the number of places. */
export function withOnes(graph: Graph, rows: string, hint: string): string {
  const at = (value: number) => graph.addConstant(`${hint}/at`, int64Tensor([1], [value]));
  const scalar = (value: number) => graph.addConstant(`${hint}/scalar`, floatTensor([1], Float32Array.of(value)));
  const first = op(graph, 'Slice', [rows, at(0), at(1), at(0)], `${hint}/first`);
  const zeros = op(graph, 'Mul', [first, scalar(0)], `${hint}/zeros`);
  const ones = op(graph, 'Add', [zeros, scalar(1)], `${hint}/one`);
  return op(graph, 'Concat', [rows, ones], `${hint}/X`, [intAttribute('axis', 0)]);
}

/** The rows of a target value, [o, P]. */
export const targetRows = (graph: Graph, node: Node, value: string): string => {
  const rank = node.opType === 'Conv' ? graph.constantOf(node, 1)!.dims.length : 2;
  if (node.opType !== 'MatMul') return channelsFirst(graph, value, rank, `${node.name}/target`);
  const outer = graph.constantOf(node, 1)!.dims[1]!;
  const shape = graph.addConstant(`${node.name}/outer`, int64Tensor([2], [-1, outer]));
  return channelsFirst(graph, op(graph, 'Reshape', [value, shape], `${node.name}/flat`), 2, `${node.name}/target`);
};

/** A Bᵀ of two values with rows of the same places. */
export const product = (graph: Graph, a: string, b: string, hint: string): string =>
  op(graph, 'MatMul', [a, op(graph, 'Transpose', [b], `${hint}/T`, [perm([1, 0])])], hint);
