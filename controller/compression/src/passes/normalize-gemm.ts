import type { Graph } from '../onnx/graph.js';
import { floatOf, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor } from '../onnx/tensor.js';
import { definePass, no, yes } from './pass.js';

/** alpha and beta move into the constants: Y = alpha A B + beta C = A (alpha B) + (beta C).   [ONNX Gemm-13] */
export const normalizeGemm = definePass<Node>({
  name: 'normalize-gemm',
  anchors: ['Gemm'],
  match(graph, node) {
    const alpha = floatOf(node, 'alpha', 1);
    const beta = floatOf(node, 'beta', 1);
    if (alpha === 1 && (beta === 1 || !node.inputs[2])) return no('');
    if (alpha !== 1 && !floats(graph, node, 1)) return no(`alpha is ${alpha} and its matrix is not a constant`);
    if (beta !== 1 && node.inputs[2] && !floats(graph, node, 2)) return no(`beta is ${beta} and C is not a constant`);
    return yes(node);
  },
  rewrite(graph, node) {
    scaleInput(graph, node, 1, floatOf(node, 'alpha', 1));
    if (node.inputs[2]) scaleInput(graph, node, 2, floatOf(node, 'beta', 1));
    graph.setAttribute(node, 'alpha', null);
    graph.setAttribute(node, 'beta', null);
  },
});

function floats(graph: Graph, node: Node, input: number): Float32Array | null {
  const tensor = graph.constantOf(node, input);
  return tensor ? floatsOf(tensor) : null;
}

function scaleInput(graph: Graph, node: Node, input: number, factor: number): void {
  if (factor === 1) return;
  const { dims } = graph.constantOf(node, input)!;
  const scaled = floats(graph, node, input)!.map((value) => value * factor);
  graph.setInput(node, input, graph.addConstant(`${node.inputs[input]}/scaled`, floatTensor(dims, scaled)));
}
