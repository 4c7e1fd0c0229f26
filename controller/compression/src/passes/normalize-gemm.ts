import type { Graph } from '../onnx/graph.js';
import { floatOf, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor } from '../onnx/tensor.js';
import { definePass, no, yes } from './pass.js';

interface Found {
  readonly node: Node;
  /** New values of the matrix and of C; null where a factor is 1. */
  readonly matrix: Float32Array | null;
  readonly addend: Float32Array | null;
}

/** alpha and beta move into the constants: Y = alpha A B + beta C = A (alpha B) + (beta C).   [ONNX Gemm-13] */
export const normalizeGemm = definePass<Found>({
  name: 'normalize-gemm',
  anchors: ['Gemm'],
  match(graph, node) {
    const alpha = floatOf(node, 'alpha', 1);
    const beta = floatOf(node, 'beta', 1);
    if (alpha === 1 && (beta === 1 || !node.inputs[2])) return no('');
    if (alpha !== 1 && !floats(graph, node, 1)) return no(`alpha is ${alpha} and its matrix is not a constant`);
    if (beta !== 1 && node.inputs[2] && !floats(graph, node, 2)) return no(`beta is ${beta} and C is not a constant`);
    const matrix = scaled(graph, node, 1, alpha);
    const addend = node.inputs[2] ? scaled(graph, node, 2, beta) : null;
    const overflow = [matrix, addend].some((values) => values && !values.every(Number.isFinite));
    return overflow ? no('a scaled constant would not be finite') : yes({ node, matrix, addend });
  },
  rewrite(graph, { node, matrix, addend }) {
    setInput(graph, node, 1, matrix);
    setInput(graph, node, 2, addend);
    graph.setAttribute(node, 'alpha', null);
    graph.setAttribute(node, 'beta', null);
  },
});

function floats(graph: Graph, node: Node, input: number): Float32Array | null {
  const tensor = graph.constantOf(node, input);
  return tensor ? floatsOf(tensor) : null;
}

const scaled = (graph: Graph, node: Node, input: number, factor: number): Float32Array | null =>
  factor === 1 ? null : floats(graph, node, input)!.map((value) => value * factor);

function setInput(graph: Graph, node: Node, input: number, values: Float32Array | null): void {
  if (!values) return;
  const { dims } = graph.constantOf(node, input)!;
  graph.setInput(node, input, graph.addConstant(`${node.inputs[input]}/scaled`, floatTensor(dims, values)));
}
