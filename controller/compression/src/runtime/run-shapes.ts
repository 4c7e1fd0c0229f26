import { create } from '@bufbuild/protobuf';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import { ValueInfoProtoSchema } from '../onnx/gen/onnx_pb.js';
import { Graph } from '../onnx/graph.js';
import { removeDead } from '../passes/remove-dead.js';
import { type Feeds, Session } from './session.js';

/** Operators that make a sequence or an optional value, which have no shape. */
const SHAPELESS = /Sequence|Optional/;

/** All values that nodes of a graph make and that have a shape. */
export const madeValues = (graph: Graph): string[] =>
  graph.nodes.flatMap(({ opType, outputs }) => (SHAPELESS.test(opType) ? [] : outputs.filter(Boolean)));

/**
 * Shapes of values of a graph, seen in one run that returns nothing but them. Inputs have those of the feeds.
 * @throws ESP_RUNTIME_REFUSED
 */
export async function runShapes(
  graph: Graph,
  feeds: Feeds,
  values: readonly string[] = madeValues(graph),
): Promise<Map<string, readonly number[]>> {
  const found = new Map(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
  for (const value of values) {
    const constant = graph.constants.get(value);
    if (constant) found.set(value, constant.dims);
  }
  const made = values.filter((value) => !found.has(value));
  if (made.length === 0) return found;
  const { shell, nodes, constants, inputs } = cloneGraph(graph);
  const outputs = made.map((value, at) => create(ValueInfoProtoSchema, { name: `${value}/shape/${at}` }));
  const asking = new Graph(shell, { nodes: [...nodes], constants, inputs: [...inputs], outputs });
  for (const [at, value] of made.entries()) {
    asking.add({ opType: 'Shape', inputs: [value], outputs: [outputs[at]!.name] });
  }
  asking.sort();
  removeDead.run(asking);
  const session = await Session.open(encodeModel(asking), 'the traced graph');
  try {
    const shapes = await session.run(feeds);
    for (const [at, value] of made.entries()) {
      found.set(value, Array.from(shapes[outputs[at]!.name]!.data as BigInt64Array, Number));
    }
    return found;
  } finally {
    await session.dispose();
  }
}
