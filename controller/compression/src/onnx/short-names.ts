import { clone } from '@bufbuild/protobuf';
import { ModelProtoSchema } from './gen/onnx_pb.js';
import { Graph } from './graph.js';
import { isConversion, subgraphsOf } from './node.js';
import { scopeOf } from './subgraph.js';

/**
 * A copy whose inner values have the shortest names there are: a tenth of a small network's file is what its values are
 * called, each once where it is made and again where it is read. Inputs, outputs, what subgraphs mention, and the nodes
 * that compute keep their names; no report names those that only convert. The copy computes the same.
 */
export function shortenNames(graph: Graph): Graph {
  const inner = graph.nodes.flatMap((node) => [...subgraphsOf(node)]);
  const mentioned = inner.flatMap((one) => [...scopeOf(one).mentioned]);
  const kept = new Set(['', ...mentioned, ...graph.sparse, ...[...graph.inputs, ...graph.outputs].map(nameOf)]);
  const values = [...graph.constants.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)];
  const short = new Map<string, string>();
  let next = 0;
  for (const value of new Set(values)) {
    if (kept.has(value)) continue;
    let name = (next++).toString(36);
    while (kept.has(name)) name = (next++).toString(36);
    short.set(value, name);
  }
  const named = (value: string): string => short.get(value) ?? value;
  const shell = clone(ModelProtoSchema, graph.shell);
  shell.graph!.valueInfo = [];
  return new Graph(shell, {
    nodes: graph.nodes.map((node) => ({
      ...node,
      name: isConversion(node) ? '' : node.name,
      inputs: node.inputs.map(named),
      outputs: node.outputs.map(named),
      attributes: new Map(node.attributes),
    })),
    constants: new Map([...graph.constants].map(([name, tensor]) => [named(name), tensor])),
    inputs: [...graph.inputs],
    outputs: [...graph.outputs],
  });
}

const nameOf = ({ name }: { readonly name: string }): string => name;
