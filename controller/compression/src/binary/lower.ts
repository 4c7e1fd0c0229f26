/** The operators of binary training as standard ones: what any runtime computes, though not faster. */
import type { Graph } from '../onnx/graph.js';
import { intAttribute, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor, Type } from '../onnx/tensor.js';

/** a sign(w) as a constant. @returns its name */
export function signedWeights(graph: Graph, node: Node): string {
  const tensor = graph.constantOf(node, 0)!;
  const values = floatsOf(tensor)!;
  const size = values.length / tensor.dims[0]!;
  for (let start = 0; start < values.length; start += size) {
    const row = values.subarray(start, start + size);
    const scale = row.reduce((sum, value) => sum + Math.abs(value), 0) / size;
    for (let at = 0; at < size; at++) row[at] = row[at]! > 0 ? scale : -scale;
  }
  return graph.addConstant(node.outputs[0]!, floatTensor(tensor.dims, values));
}

/** 2 (x > threshold) - 1. @returns the value */
export function addSigns(graph: Graph, node: Node): string {
  const [x, threshold] = node.inputs as [string, string];
  const name = node.outputs[0]!;
  const scalar = (value: number): string =>
    graph.addConstant(`${name}/${value}`, floatTensor([], Float32Array.of(value)));
  const emit = (opType: string, inputs: string[], attributes = [] as ReturnType<typeof intAttribute>[]): string =>
    graph.add({ opType, inputs, outputs: [graph.freshName(`${name}/${opType}`)], attributes }).outputs[0]!;
  const above = emit('Cast', [emit('Greater', [x, threshold])], [intAttribute('to', Type.FLOAT)]);
  return emit('Sub', [emit('Mul', [above, scalar(2)]), scalar(1)]);
}
