import type { Graph } from '../onnx/graph.js';
import { floatOf, intOf, type Node } from '../onnx/node.js';
import { elementCount, floatsOf, floatTensor } from '../onnx/tensor.js';
import { capturedBySubgraphs } from '../onnx/verify.js';
import { definePass, no, yes } from './pass.js';

const WEIGHTED = ['Conv', 'ConvTranspose', 'Gemm'];

interface Folded {
  readonly weights: Float32Array;
  readonly shifted: Float32Array;
}

/**
 * Conv, ConvTranspose or Gemm -> BatchNormalization becomes one node, for inference only. With
 * k = gamma / sqrt(var + eps): W' = k W along the output channels, b' = k (b - mean) + beta.
 * A BatchNormalization before a zero-padded Conv is not folded: its shift would also fall on the padding.
 * [ONNX BatchNormalization-15]
 */
export const foldBatchNorm = definePass<{ weighted: Node; norm: Node } & Folded>({
  name: 'fold-batch-norm',
  anchors: ['BatchNormalization'],
  match(graph, norm) {
    const weighted = graph.producer(norm.inputs[0]!);
    if (weighted?.domain !== '' || !WEIGHTED.includes(weighted.opType)) {
      return no(`its input comes from ${weighted?.opType ?? 'a graph input'}, not from ${WEIGHTED.join(', ')}`);
    }
    const between = weighted.outputs[0]!;
    if (!graph.isSoleUse(between, norm) || capturedBySubgraphs(graph).has(between)) {
      return no(`${weighted.name} feeds other nodes or the graph's output too`);
    }
    const extra = norm.outputs.slice(1).find((output) => output && graph.consumers(output).length > 0);
    if (extra) return no(`its statistic ${extra} is read`);
    const variable = [...weighted.inputs.slice(1), ...norm.inputs.slice(1)].find((value) => {
      const tensor = value ? graph.constants.get(value) : undefined;
      return value !== '' && (!tensor || !floatsOf(tensor));
    });
    if (variable) return no(`${variable} is not a float constant`);
    const gemm = weighted.opType === 'Gemm';
    if (gemm && (floatOf(weighted, 'alpha', 1) !== 1 || floatOf(weighted, 'beta', 1) !== 1)) {
      return no(`${weighted.name} has alpha or beta`);
    }
    const folded = fold(graph, weighted, norm);
    if (!folded.weights.every(Number.isFinite) || !folded.shifted.every(Number.isFinite))
      return no('a folded weight or bias would not be finite');
    return yes({ weighted, norm, ...folded });
  },
  rewrite(graph, { weighted, norm, weights, shifted }) {
    const { dims } = graph.constantOf(weighted, 1)!;
    graph.setInput(weighted, 1, graph.addConstant(`${weighted.inputs[1]}/folded`, floatTensor(dims, weights)));
    const name = graph.addConstant(`${weighted.name}/bias`, floatTensor([shifted.length], shifted));
    graph.setInput(weighted, 2, name);
    graph.remove(norm);
    graph.change(weighted, { outputs: [norm.outputs[0]!] });
  },
});

/** The bias broadcast to one value a channel; zeros when there is none (a Gemm's C may be a scalar or [1,N]). */
function biasOf(graph: Graph, node: Node, channels: number): Float32Array {
  const tensor = graph.constantOf(node, 2);
  const values = tensor ? floatsOf(tensor)! : new Float32Array(1);
  return Float32Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel]!);
}

/** W' = k W for every output channel, and b' = k (b - mean) + beta, both as new numbers. */
function fold(graph: Graph, weighted: Node, norm: Node): Folded {
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((input) => floatsOf(graph.constantOf(norm, input)!)!);
  const epsilon = floatOf(norm, 'epsilon', 1e-5);
  const factor = gamma!.map((value, channel) => value / Math.sqrt(variance![channel]! + epsilon));
  const bias = biasOf(graph, weighted, factor.length);
  const shifted = bias.map((b, channel) => factor[channel]! * (b - mean![channel]!) + beta![channel]!);
  const weights = floatsOf(graph.constantOf(weighted, 1)!)!;
  const channelAt = outputChannel(weighted, graph.constantOf(weighted, 1)!.dims);
  for (let at = 0; at < weights.length; at++) weights[at]! *= factor[channelAt(at)]!;
  return { weights, shifted };
}

/** Which output channel the weight at a flat index belongs to. */
function outputChannel(node: Node, dims: readonly number[]): (at: number) => number {
  if (node.opType === 'Conv') {
    const block = elementCount(dims.slice(1));
    return (at) => Math.floor(at / block);
  }
  if (node.opType === 'Gemm') {
    const columns = dims[1]!;
    return intOf(node, 'transB', 0) ? (at) => Math.floor(at / columns) : (at) => at % columns;
  }
  // ConvTranspose: W is [C, M/group, ...] and input channel c belongs to group c / (C/group) [ConvTranspose-11]
  const [inputs, perGroup] = [dims[0]!, dims[1]!];
  const kernel = elementCount(dims.slice(2));
  const groupInputs = inputs / intOf(node, 'group', 1);
  return (at) => {
    const group = Math.floor(at / (kernel * perGroup) / groupInputs);
    return group * perGroup + (Math.floor(at / kernel) % perGroup);
  };
}
