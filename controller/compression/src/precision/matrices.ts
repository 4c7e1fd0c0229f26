/** The matrices of a model: what MatMul and Gemm multiply with, in one layout. */
import type { Graph } from '../onnx/graph.js';
import { floatOf, intOf, type Node } from '../onnx/node.js';
import { floatsOf } from '../onnx/tensor.js';

/** y = x W + bias, W of K rows and N columns, row by row. */
export interface Matrix {
  readonly k: number;
  readonly n: number;
  readonly values: Float32Array;
  /** The value that is added, or null. */
  readonly bias: string | null;
}

/** A matrix with fewer weights than this saves no bytes worth an operator more. */
const WEIGHTS_MIN = 1024;

/** The matrix of a MatMul or Gemm, or why it is none to be stored otherwise; null for other operators. Pure. */
export function matrixOf(graph: Graph, node: Node): Matrix | { why: string } | null {
  if (node.domain !== '' || (node.opType !== 'MatMul' && node.opType !== 'Gemm')) return null;
  const tensor = graph.constantOf(node, 1);
  const values = tensor && floatsOf(tensor);
  if (!values) return { why: 'both of its operands are computed, or its weights are not float' };
  if (tensor.dims.length !== 2) return { why: 'its weights are not a matrix' };
  if (graph.constants.has(node.inputs[0]!)) return { why: 'its input is a constant' };
  if (values.length < WEIGHTS_MIN) return { why: `it has only ${values.length} weights` };
  const [rows, columns] = tensor.dims as [number, number];
  if (node.opType === 'MatMul') return { k: rows, n: columns, values, bias: null };
  if (floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1 || intOf(node, 'transA', 0) === 1) {
    return { why: 'alpha, beta or transA could not be moved into its constants' };
  }
  const bias = node.inputs[2] || null;
  if (intOf(node, 'transB', 0) === 0) return { k: rows, n: columns, values, bias };
  return { k: columns, n: rows, values: transposed(values, rows, columns), bias };
}

/** [rows, columns] as [columns, rows]. */
export function transposed<T extends Float32Array | Int8Array>(values: T, rows: number, columns: number): T {
  const out = values.slice() as T;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column]!;
  }
  return out;
}

/** Puts what `product` names in the place of a node: with its bias, under its output's name. */
export function finishProduct(graph: Graph, node: Node, product: string, bias: string | null): void {
  const output = node.outputs[0]!;
  graph.remove(node);
  if (bias) graph.add({ opType: 'Add', inputs: [product, bias], outputs: [output], name: `${node.name}/bias` });
}

/** The value that the new product of a node gives: its output, or what comes before its bias. */
export const productOf = (graph: Graph, node: Node, bias: string | null): string =>
  bias ? graph.freshName(`${node.outputs[0]}/product`) : node.outputs[0]!;
