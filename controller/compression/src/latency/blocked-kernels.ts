/** What ONNX Runtime calls a float32 operator that it moved to its blocked layout [onnxruntime, nchwc_transformer.cc]. */
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';

const BLOCKED = new Set(['Conv', 'MaxPool', 'AveragePool', 'GlobalMaxPool', 'GlobalAveragePool']);
/** A convolution's kernel takes in the sum and the activation behind it, and is called after what comes out of them. */
const TAKEN_IN = new Set(['Add', 'Sum', 'Relu', 'Clip', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSigmoid']);

/** Names that the kernel of an operator may have; none for those that are never moved. */
export function blockedKernels(graph: Graph, node: Node): string[] {
  if (!BLOCKED.has(node.opType)) return [];
  const values = [node.outputs[0]!];
  let [reader, ...others] = graph.consumers(values[0]!);
  while (node.opType === 'Conv' && reader && others.length === 0 && TAKEN_IN.has(reader.opType)) {
    values.push(reader.outputs[0]!);
    [reader, ...others] = graph.consumers(values.at(-1)!);
  }
  return values.map((value) => `${value}_nchwc`);
}
