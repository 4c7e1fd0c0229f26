import { cloneGraph } from '../onnx/codec.js';
import { Graph } from '../onnx/graph.js';
import { removeDead } from './remove-dead.js';

/**
 * A copy that returns these float values and nothing else, without what they do not need: what is not returned need not
 * stay in memory, and what is not needed is not computed.
 */
export function returningOnly(graph: Graph, values: readonly string[]): Graph {
  const wanted = new Set(values);
  const { shell, nodes, constants, inputs, outputs } = cloneGraph(graph, values);
  const only = new Graph(shell, {
    ...{ nodes: [...nodes], constants, inputs: [...inputs] },
    outputs: outputs.filter(({ name }) => wanted.has(name)),
  });
  only.sort();
  removeDead.run(only);
  return only;
}
