/** Puts a classifier behind a feature map: an early exit [Teerapittayanon et al. 2016, BranchyNet]. */
import { randomFrom } from '../data/feeds.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intsAttribute } from '../onnx/node.js';
import { floatTensor, type Tensor } from '../onnx/tensor.js';

/**
 * linear: the mean of every channel, and a linear layer. conv: a 3x3 convolution of stride 2 to four times the channels before
 * it, because an early feature map has few channels that say little alone.
 */
export const HEADS = ['linear', 'conv'] as const;
export type HeadKind = (typeof HEADS)[number];

export interface Exit {
  /** The value it reads, [N, C, H, W]. */
  readonly feature: string;
  /** The value it gives, [N, classes]. */
  readonly logits: string;
}

/** Weights of variance 2 / inputs, as a ReLU behind them wants it [He et al. 2015]; uniform. */
function drawWeights(dims: readonly number[], random: () => number): Tensor {
  const inputs = dims.slice(1).reduce((product, size) => product * size, 1);
  const bound = Math.sqrt(6 / inputs);
  const values = Float32Array.from({ length: dims[0]! * inputs }, () => (2 * random() - 1) * bound);
  return floatTensor(dims, values);
}

/** Adds one head in place. */
function addHead(
  graph: Graph,
  feature: string,
  { channels, classes, kind, random }: { channels: number; classes: number; kind: HeadKind; random: () => number },
): Exit {
  const id = graph.freshName(`${feature}/exit`);
  const node = (opType: string, inputs: string[], name: string, attributes = [] as ReturnType<typeof intAttribute>[]) =>
    graph.add({ opType, inputs, outputs: [`${id}/${name}`], name: `${id}/${name}`, attributes }).outputs[0]!;
  const constant = (name: string, tensor: Tensor): string => graph.addConstant(`${id}/${name}`, tensor);
  const zeros = (size: number): Tensor => floatTensor([size], new Float32Array(size));
  let [map, width] = [feature, channels];
  if (kind === 'conv') {
    width = 4 * channels;
    const weights = constant('conv-weight', drawWeights([width, channels, 3, 3], random));
    const window = [intsAttribute('pads', [1, 1, 1, 1]), intsAttribute('strides', [2, 2])];
    map = node('Conv', [map, weights, constant('conv-bias', zeros(width))], 'conv', window);
    map = node('Relu', [map], 'relu');
  }
  const pooled = node('GlobalAveragePool', [map], 'pool');
  const flat = node('Flatten', [pooled], 'flat', [intAttribute('axis', 1)]);
  const weights = constant('weight', drawWeights([classes, width], random));
  const inputs = [flat, weights, constant('bias', zeros(classes))];
  return { feature, logits: node('Gemm', inputs, 'logits', [intAttribute('transB', 1)]) };
}

export interface HeadOptions {
  readonly kind: HeadKind;
  readonly classes: number;
  /** Channels of each feature map. */
  readonly channels: (feature: string) => number;
  readonly seed: number;
}

/** A copy of the network with a head at each feature map; logits and feature maps are returned beside the outputs. */
export function addHeads(
  original: Graph,
  features: readonly string[],
  { kind, classes, channels, seed }: HeadOptions,
): { graph: Graph; exits: Exit[] } {
  const graph = cloneGraph(original);
  const random = randomFrom(seed);
  const exits = features.map((feature) =>
    addHead(graph, feature, { channels: channels(feature), classes, kind, random }),
  );
  const returned = exits.flatMap(({ feature, logits }) => [logits, feature]);
  return { graph: cloneGraph(graph, returned), exits };
}
