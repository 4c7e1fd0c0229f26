import { create } from '@bufbuild/protobuf';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import { ValueInfoProtoSchema } from '../onnx/gen/onnx_pb.js';
import { Graph } from '../onnx/graph.js';
import { type Feeds, Session } from '../runtime/session.js';

/** A copy that returns further values; their types are left for the runtime to infer. */
function returning(graph: Graph, values: readonly string[]): Graph {
  const { shell, nodes, constants, inputs, outputs } = cloneGraph(graph);
  const more = values.filter((name) => !graph.isOutput(name)).map((name) => create(ValueInfoProtoSchema, { name }));
  return new Graph(shell, { nodes: [...nodes], constants, inputs: [...inputs], outputs: [...outputs, ...more] });
}

/** Shapes of all values of a graph, seen in one run. @throws ESP_RUNTIME_REFUSED */
export async function runShapes(graph: Graph, feeds: Feeds): Promise<Map<string, readonly number[]>> {
  const values = graph.nodes.flatMap(({ outputs }) => outputs.filter(Boolean));
  const session = await Session.open(encodeModel(returning(graph, values)), 'the traced graph');
  try {
    const found = new Map(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
    for (const [name, { dims }] of Object.entries(await session.run(feeds))) found.set(name, dims);
    return found;
  } finally {
    await session.dispose();
  }
}
