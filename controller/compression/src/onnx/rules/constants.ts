import type { Graph } from '../graph.js';
import { type Node, tensorOf } from '../node.js';
import type { Tensor } from '../tensor.js';

/** The constant a node reads at an input: an initializer, or what a Constant node before it holds. */
export function constantAt(graph: Graph, node: Node, input: number): Tensor | undefined {
  const initializer = graph.constantOf(node, input);
  if (initializer) return initializer;
  const producer = graph.producer(node.inputs[input] ?? '');
  return producer && isConstant(producer) ? (tensorOf(producer, 'value') ?? undefined) : undefined;
}

/** Every constant tensor of the main graph under the name of its value. */
export function* constantsOf(graph: Graph): Iterable<[name: string, tensor: Tensor]> {
  yield* graph.constants;
  for (const node of graph.nodes) {
    const tensor = isConstant(node) && tensorOf(node, 'value');
    if (tensor) yield [node.outputs[0] ?? node.name, tensor];
  }
}

const isConstant = ({ opType, domain }: Node): boolean => opType === 'Constant' && domain === '';
