/**
 * Quantization-aware training: fake quantizers in front of every weighted layer, on its input and its weights. They are
 * taken out again at the end, for the quantizer to put real ones in, or lowered to standard operators as a simulation.
 */

import { addSigns, signedWeights } from '../binary/lower.js';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { attributesFrom } from '../onnx/attributes.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { floatsOf, floatTensor, uint8Tensor } from '../onnx/tensor.js';
import { channelFigures } from './channel-figures.js';
import { findParameters } from './parameters.js';
import type { FakeQuantization } from './recipe.js';

const DOMAIN = 'espalier';

/** Layers whose weights are learnt constants. */
function weightedNodes(graph: Graph): Node[] {
  const learnt = new Set(findParameters(graph).map(({ name }) => name));
  return graph.nodes.filter(({ opType, inputs }) => ['Conv', 'Gemm'].includes(opType) && learnt.has(inputs[1]!));
}

/** Puts fake quantizers into a folded network, in place; the ranges are the extremes over the data. */
export async function addFakeQuantizers(
  graph: Graph,
  bits: FakeQuantization,
  data: Dataset,
  feeding: BatchOptions,
): Promise<void> {
  const nodes = weightedNodes(graph);
  const values = [...new Set(nodes.map(({ inputs }) => inputs[0]!))];
  const figures = await channelFigures(graph, values, data, feeding);
  const scalar = (hint: string, value: number): string =>
    graph.addConstant(hint, floatTensor([], Float32Array.of(value)));
  const quantized = new Map<string, string>();
  for (const [at, node] of nodes.entries()) {
    const isEdge = at === 0 || at === nodes.length - 1;
    const [x, w] = node.inputs as [string, string];
    const of = (own: number): number => (isEdge ? bits.edgeBits : own);
    const key = `${x} ${of(bits.activationBits)}`;
    if (!quantized.has(key)) {
      const { min, max } = figures.get(x)!;
      const inputs = [x, scalar(`${x}/low`, Math.min(0, ...min)), scalar(`${x}/high`, Math.max(0, ...max))];
      quantized.set(key, add(graph, 'FakeQuantActivations', inputs, of(bits.activationBits)));
    }
    const weights = add(graph, 'FakeQuantWeights', [w], of(bits.weightBits));
    graph.change(node, { inputs: [quantized.get(key)!, weights, ...node.inputs.slice(2)] });
  }
  graph.sort();
}

function add(graph: Graph, opType: string, inputs: string[], bits: number): string {
  const outputs = [graph.freshName(`${inputs[0]}/fake-quantized`)];
  return graph.add({ opType, domain: DOMAIN, inputs, outputs, attributes: attributesFrom({ bits }) }).outputs[0]!;
}

const fakes = (graph: Graph): Node[] => graph.nodes.filter(({ domain }) => domain === DOMAIN);

/** A copy without its fake quantizers. */
export function withoutFakeQuantizers(graph: Graph): Graph {
  const copy = cloneGraph(graph);
  for (const node of fakes(copy)) {
    copy.replaceUses(node.outputs[0]!, node.inputs[0]!);
    copy.remove(node);
  }
  return copy;
}

/** What stands for each operator that only training knows: the value that computes the same. */
const LOWERED: Readonly<Record<string, (graph: Graph, node: Node) => string>> = {
  FakeQuantWeights: (graph, node) => graph.addConstant(node.outputs[0]!, roundedWeights(graph, node)),
  FakeQuantActivations: addQuantizers,
  BinaryWeights: signedWeights,
  BinaryActivations: addSigns,
};

/** A copy in which weights are rounded and activations pass quantizers or signs of standard operators: any runtime computes it. */
export function simulated(graph: Graph): Graph {
  const copy = cloneGraph(graph);
  for (const node of fakes(copy)) {
    copy.replaceUses(node.outputs[0]!, LOWERED[node.opType]!(copy, node));
    copy.remove(node);
  }
  copy.sort();
  return copy;
}

function roundedWeights(graph: Graph, node: Node) {
  const tensor = graph.constantOf(node, 0)!;
  const values = floatsOf(tensor)!;
  const levels = 2 ** (intOf(node, 'bits', 8) - 1) - 1;
  const size = values.length / tensor.dims[0]!;
  for (let start = 0; start < values.length; start += size) {
    const row = values.subarray(start, start + size);
    const scale =
      Math.max(
        1e-8,
        row.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      ) / levels;
    for (let at = 0; at < size; at++) row[at] = roundEven(row[at]! / scale) * scale;
  }
  return floatTensor(tensor.dims, values);
}

/** To the nearest, ties to the even one [ONNX Round-11]. */
const roundEven = (x: number): number => {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
};

/** Fewer than 8 bits are 8 bits whose values are clipped to fewer levels. */
function addQuantizers(graph: Graph, node: Node): string {
  const [low, high] = [1, 2].map((at) => floatsOf(graph.constantOf(node, at)!)![0]!) as [number, number];
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  const levels = 2 ** intOf(node, 'bits', 8) - 1;
  const step = Math.max(top - bottom, 1e-8) / levels;
  const zero = -roundEven(bottom / step);
  const name = node.outputs[0]!;
  const put = (hint: string, value: number): string =>
    graph.addConstant(`${name}/${hint}`, floatTensor([], Float32Array.of(value)));
  const [scale, from, to] = [put('scale', step), put('from', -zero * step), put('to', (levels - zero) * step)];
  const zeroPoint = graph.addConstant(`${name}/zero`, uint8Tensor([], Uint8Array.of(zero)));
  const emit = (opType: string, inputs: string[]): string =>
    graph.add({ opType, inputs, outputs: [graph.freshName(`${name}/${opType}`)] }).outputs[0]!;
  const clipped = emit('Clip', [node.inputs[0]!, from, to]);
  return emit('DequantizeLinear', [emit('QuantizeLinear', [clipped, scale, zeroPoint]), scale, zeroPoint]);
}
