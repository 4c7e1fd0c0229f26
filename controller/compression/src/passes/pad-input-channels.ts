import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { elementCount, int8Tensor, int64Tensor, numbersOf, type Tensor, Type } from '../onnx/tensor.js';
import { definePass, no, type Pass, yes } from './pass.js';
import { PER_CHANNEL_OPSET } from './raise-opset.js';

interface Found {
  readonly conv: Node;
  readonly weight: Node;
  readonly weights: Tensor;
  /** The DequantizeLinear between the quantized input and the convolution. */
  readonly input: Node;
}

/**
 * A quantized convolution that reads the model's input gets more input channels: x is padded with its zero point and
 * W with zeros, so that the sums are the same integers, in a kernel that takes channels in blocks.
 * [Conv-11: y = sum over c of W_c x_c; a channel of W = 0 adds nothing]
 */
export const padInputChannels = ({ from, to }: { from: number; to: number }): Pass =>
  definePass<Found>({
    name: 'pad-input-channels',
    anchors: ['Conv'],
    match(graph, conv) {
      const input = graph.producer(conv.inputs[0]!);
      const quantize = input?.opType === 'DequantizeLinear' ? graph.producer(input.inputs[0]!) : undefined;
      const fed = graph.inputs.some(({ name }) => name === quantize?.inputs[0]);
      if (quantize?.opType !== 'QuantizeLinear' || !fed) return no('');
      const weight = graph.producer(conv.inputs[1]!);
      const weights = weight && graph.constantOf(weight, 0);
      if (weight?.opType !== 'DequantizeLinear' || weights?.type !== Type.INT8) return no('its weights are not int8');
      if (intOf(conv, 'group', 1) !== 1) return no('it is grouped');
      if (weights.dims[1] !== from) return no(`it has ${weights.dims[1]} input channels, not ${from}`);
      if (!input!.inputs[2]) return no('its input has no zero point');
      if (!graph.isSoleUse(input!.outputs[0]!, conv)) return no('others read its input too');
      if (graph.opset() < PER_CHANNEL_OPSET) return no(`opset ${graph.opset()} has no Pad for uint8`);
      return yes({ conv, weight, weights, input: input! });
    },
    rewrite: (graph, found) => pad(graph, found, to),
  });

function pad(graph: Graph, { weight, weights, input }: Found, to: number): void {
  const [outputs, from, ...kernel] = weights.dims as [number, number, ...number[]];
  const block = elementCount(kernel);
  const wide = new Int8Array(outputs * to * block);
  const values = numbersOf(weights);
  for (let o = 0; o < outputs; o++) wide.set(values.slice(o * from * block, (o + 1) * from * block), o * to * block);
  const name = `${weight.inputs[0]}/padded`;
  graph.setInput(weight, 0, graph.addConstant(name, int8Tensor([outputs, to, ...kernel], wide)));
  const none = kernel.map(() => 0);
  const pads = int64Tensor([2 * kernel.length + 4], [0, 0, ...none, 0, to - from, ...none]);
  const padded = graph.freshName(`${input.inputs[0]}/padded`);
  graph.add({
    opType: 'Pad',
    inputs: [input.inputs[0]!, graph.addConstant(`${padded}/pads`, pads), input.inputs[2]!],
    outputs: [padded],
  });
  graph.setInput(input, 0, padded);
}
