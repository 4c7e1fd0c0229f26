/** Cuts a network with exits into stages: each takes the feature map of the one before, and gives logits and the next. */
import { cloneGraph } from '../onnx/codec.js';
import type { ValueInfoProto } from '../onnx/gen/onnx_pb.js';
import { Graph } from '../onnx/graph.js';
import { removeDead } from '../passes/remove-dead.js';
import { valueInfo } from '../train/graph-of.js';
import { ancestorsOf } from '../train/walk.js';
import type { Exit } from './heads.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** One part of a network: from a value to some values. */
function between(graph: Graph, input: ValueInfoProto, outputs: readonly ValueInfoProto[]): Graph {
  const { shell, nodes, constants } = cloneGraph(graph);
  const behind = ancestorsOf(graph, [input.name]);
  const left = new Set([...behind].map(({ name }) => name));
  if (shell.graph) shell.graph.valueInfo = [];
  const part = new Graph(shell, {
    nodes: nodes.filter(({ name }) => !left.has(name)),
    ...{ constants: new Map(constants), inputs: [input], outputs: [...outputs] },
  });
  removeDead.run(part);
  return part;
}

/**
 * The stages of a network in their order; the last one gives the network's own output.
 * @param graph returns the logits and features of its exits beside its first output
 * @param shapes of all values for one sample; the batch of every stage is as free as the network's own
 */
export function splitStages(graph: Graph, exits: readonly Exit[], shapes: Shapes): Graph[] {
  const [given] = graph.inputs;
  const declared = given!.type?.value;
  const dim = declared?.case === 'tensorType' ? declared.value.shape?.dim[0]?.value : undefined;
  const batch = dim?.case === 'dimValue' ? Number(dim.value) : (dim?.value ?? 'batch');
  const info = (value: string): ValueInfoProto => valueInfo(value, [batch, ...shapes.get(value)!.slice(1)]);
  let input = given!;
  const stages = exits.map(({ logits, feature }) => {
    const stage = between(graph, input, [info(logits), info(feature)]);
    input = info(feature);
    return stage;
  });
  return [...stages, between(graph, input, [graph.outputs[0]!])];
}
