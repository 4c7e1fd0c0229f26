/** Puts signs into a network for training: in front of every inner convolution, on its input and on its weights. */
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { NothingBinarizable } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { floatTensor } from '../onnx/tensor.js';
import { channelFigures } from '../train/channel-figures.js';
import { findParameters } from '../train/parameters.js';

const DOMAIN = 'espalier';
const WIDTH_MIN = 1e-3;

/**
 * Dense convolutions with a window, but for the first and the last weighted layer: those and pointwise shortcuts stay float,
 * as the source has it. A convolution that reads the network's own input is a first one.
 */
export function binarizable(graph: Graph): Node[] {
  const learnt = new Set(findParameters(graph).map(({ name }) => name));
  const weighted = graph.nodes.filter(
    ({ opType, inputs }) => ['Conv', 'Gemm', 'MatMul'].includes(opType) && learnt.has(inputs[1]!),
  );
  const last = weighted.at(-1);
  return weighted.filter((node) => {
    const [, , height = 1, width = 1] = graph.constantOf(node, 1)!.dims;
    const isInner = node !== last && graph.producer(node.inputs[0]!) !== undefined;
    return node.opType === 'Conv' && isInner && height * width > 1 && intOf(node, 'group', 1) === 1;
  });
}

/** Adds the signs in place; each channel is cut at its mean over the data. @throws ESP_NOTHING_BINARIZABLE */
export async function addBinarizers(graph: Graph, data: Dataset, feeding: BatchOptions): Promise<void> {
  const nodes = binarizable(graph);
  if (nodes.length === 0) throw NothingBinarizable({ model: graph.shell.graph?.name || 'the model' });
  const values = [...new Set(nodes.map(({ inputs }) => inputs[0]!))];
  const figures = await channelFigures(graph, values, data, feeding);
  const signs = new Map(
    values.map((value) => {
      const { mean, power } = figures.get(value)!;
      const deviation = mean.map((one, at) => Math.max(WIDTH_MIN, Math.sqrt(Math.max(0, power[at]! - one * one))));
      const constant = (hint: string, numbers: ArrayLike<number>): string =>
        graph.addConstant(`${value}/${hint}`, floatTensor([1, numbers.length, 1, 1], Float32Array.from(numbers)));
      const inputs = [value, constant('threshold', mean), constant('width', deviation)];
      return [value, add(graph, 'BinaryActivations', inputs)];
    }),
  );
  for (const node of nodes) {
    const [x, w] = node.inputs as [string, string];
    graph.change(node, { inputs: [signs.get(x)!, add(graph, 'BinaryWeights', [w]), ...node.inputs.slice(2)] });
  }
  graph.sort();
}

const add = (graph: Graph, opType: string, inputs: string[]): string =>
  graph.add({ opType, domain: DOMAIN, inputs, outputs: [graph.freshName(`${inputs[0]}/sign`)] }).outputs[0]!;
