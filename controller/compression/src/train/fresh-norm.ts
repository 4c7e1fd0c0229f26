/**
 * Puts a BatchNormalization behind every convolution that has none, such that the network computes what it did: a network
 * whose norms were folded away trains badly without. At the end `fold-batch-norm` takes them out again.
 *
 * Per output channel with filter W, bias b, mean m and deviation d of its output: c = 2 / |W|, W' = c W, running mean
 * c (m - b), running variance v = (c d)^2, gamma = sqrt(v + epsilon) / c, beta = m.
 *
 * The scale of a filter behind a norm changes nothing but how fast it learns: its step counts as rate / |W'|^2 [van Laarhoven
 * 2017]. Folding leaves filters of any size; all are given the one that training gives them (|W'|^2 is 2.5 to 4.8 in the
 * layers of a ResNet-20), and a rate means what it meant. Filters scaled to outputs of deviation 1 learnt up to six times
 * too fast here and hardly at all there: in one epoch of 5,000 images at 0.02, uncut, a ResNet-20 lost 4.5 points, with
 * its own norms 1.6, and with these 1.6.
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

/** Squared norm of a filter behind a norm, as training leaves it. */
const FILTER_POWER = 4;
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

/** A filter of nothing but zeros stays as it is. */
function filterScale(filter: Float32Array): number {
  const power = filter.reduce((sum, value) => sum + value * value, 0);
  return power > 0 ? Math.sqrt(FILTER_POWER / power) : 1;
}

function normalize(graph: Graph, conv: Node, { mean, power }: ChannelFigures): void {
  const weights = graph.constantOf(conv, 1)!;
  const channels = weights.dims[0]!;
  const bias = graph.constantOf(conv, 2);
  const b = bias ? floatsOf(bias)! : new Float32Array(channels);
  const values = floatsOf(weights)!;
  const size = values.length / channels;
  const scale = Float32Array.from({ length: channels }, (_, at) =>
    filterScale(values.subarray(at * size, (at + 1) * size)),
  );
  for (let at = 0; at < values.length; at++) values[at]! *= scale[Math.floor(at / size)]!;
  const variance = (at: number): number => Math.max(0, power[at]! - mean[at]! ** 2) * scale[at]! ** 2;
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
  const inputs = [
    raw,
    vector('gamma', (at) => Math.sqrt(variance(at) + EPSILON) / scale[at]!),
    vector('beta', (at) => mean[at]!),
    vector('mean', (at) => (mean[at]! - b[at]!) * scale[at]!),
    vector('variance', variance),
  ];
  const scaled = graph.addConstant(`${conv.name}/even`, floatTensor(weights.dims, values));
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
