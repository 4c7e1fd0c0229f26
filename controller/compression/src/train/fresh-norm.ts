/**
 * Puts a BatchNormalization behind every convolution that has none, such that the network computes what it did: a network
 * whose norms were folded away trains badly without. At the end `fold-batch-norm` takes them out again.
 *
 * Per output channel, with mean m and deviation d of the convolution without its bias b: W /= d, running mean m / d,
 * running variance 1, gamma = d, beta = m + b.
 */
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { floatAttribute } from '../onnx/attributes.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { floatsOf, floatTensor } from '../onnx/tensor.js';
import type { ChannelFigures } from '../quantize/channel-stats.js';
import { channelFigures } from './channel-figures.js';
import { findParameters } from './parameters.js';

/** A channel that hardly moves is not blown up. */
const DEVIATION_MIN = 1e-3;
const EPSILON = 1e-5;

/** Convolutions with learnt weights whose output no BatchNormalization reads. */
function bareConvolutions(graph: Graph): Node[] {
  const learnt = new Set(findParameters(graph).map(({ name }) => name));
  return graph.nodes.filter(
    (node) =>
      node.opType === 'Conv' &&
      learnt.has(node.inputs[1]!) &&
      !graph.isOutput(node.outputs[0]!) &&
      graph.consumers(node.outputs[0]!).every(({ opType }) => opType !== 'BatchNormalization'),
  );
}

function normalize(graph: Graph, conv: Node, { mean, power }: ChannelFigures): void {
  const weights = graph.constantOf(conv, 1)!;
  const channels = weights.dims[0]!;
  const bias = graph.constantOf(conv, 2);
  const b = bias ? floatsOf(bias)! : new Float32Array(channels);
  const deviation = Float32Array.from({ length: channels }, (_, at) =>
    Math.max(DEVIATION_MIN, Math.sqrt(Math.max(0, power[at]! - mean[at]! ** 2))),
  );
  const values = floatsOf(weights)!;
  const size = values.length / channels;
  for (let at = 0; at < values.length; at++) values[at]! /= deviation[Math.floor(at / size)]!;
  const vector = (hint: string, of: (channel: number) => number): string =>
    graph.addConstant(
      `${conv.name}/${hint}`,
      floatTensor(
        [channels],
        Float32Array.from({ length: channels }, (_, at) => of(at)),
      ),
    );
  const output = conv.outputs[0]!;
  const raw = graph.freshName(`${output}/raw`);
  // Mean and variance are those of the convolution without its bias, and the epsilon is taken off again.
  const inputs = [
    raw,
    vector('gamma', (at) => deviation[at]! * Math.sqrt(1 + EPSILON)),
    vector('beta', (at) => mean[at]!),
    vector('mean', (at) => (mean[at]! - b[at]!) / deviation[at]!),
    vector('variance', () => 1),
  ];
  const scaled = graph.addConstant(`${conv.name}/unit`, floatTensor(weights.dims, values));
  graph.change(conv, { inputs: [conv.inputs[0]!, scaled], outputs: [raw] });
  graph.add({
    opType: 'BatchNormalization',
    inputs,
    outputs: [output],
    attributes: [floatAttribute('epsilon', EPSILON)],
  });
}

/** Adds the norms in place. @returns how many */
export async function addFreshNorms(graph: Graph, data: Dataset, feeding: BatchOptions): Promise<number> {
  const bare = bareConvolutions(graph);
  if (bare.length === 0) return 0;
  const figures = await channelFigures(
    graph,
    bare.map(({ outputs }) => outputs[0]!),
    data,
    feeding,
  );
  for (const conv of bare) normalize(graph, conv, figures.get(conv.outputs[0]!)!);
  graph.sort();
  return bare.length;
}
