/**
 * A network with int8 inside and float at its ends, as ONNX Runtime takes and gives it: the same names, shapes and axes, so
 * that one file can serve in the place of the other. What gives float in the ONNX graph gives float here.
 */
import { intOf, type Node } from '../onnx/node.js';
import { bytesOf, numbersOf } from '../onnx/tensor.js';
import { type Handler, type Lowering, TO_NHWC, type Value } from './lowering.js';
import { softmaxFields } from './schema.js';
import { weightsAsRows } from './weighted.js';

/** An input of floats in ONNX's axes becomes an activation; integers are moved, not floats, for they are four times smaller. */
export function floatInput(at: Lowering, name: string, shape: readonly number[], value: Value['quantization']): Value {
  const input = at.float(name, shape);
  const plain = at.activation(`${name}/quantized`, shape, value, 'plain');
  at.emit({ name: 'QUANTIZE', inputs: [input], outputs: [plain.tensor], fields: [], version: 1 });
  return shape.length === 4 ? at.transpose(plain, TO_NHWC, 'nhwc', name) : plain;
}

/** The floats of a value, in ONNX's axes. */
export function floatOf(at: Lowering, node: Node, name: string): number {
  const known = at.floats.get(name);
  if (known !== undefined) return known;
  const value = at.find(name) ?? at.refuse(node, `${name} is not made here`);
  if (value.image) at.refuse(node, 'it gives a flattened image');
  const plain = at.plain(value, name);
  const made = at.float(name, plain.shape);
  at.emit({ name: 'DEQUANTIZE', inputs: [plain.tensor], outputs: [made], fields: [] });
  return made;
}

/** A matrix product with a float result: the kernel takes floats, quantizes each row by its own range and has int8 weights. */
const product: Handler = (at, node) => {
  const row = at.value(node, 0);
  const { weight, outputs, scales } = weightsAsRows(at, node, row);
  const input = at.float(`${node.name}/row`, row.shape);
  at.emit({ name: 'DEQUANTIZE', inputs: [row.tensor], outputs: [input], fields: [] });
  const bias = at.add({
    name: `${node.name}/bias`,
    ...{ shape: [outputs], type: 'float32', data: bytesOf(biasOf(at, node, outputs)) },
  });
  const output = at.float(node.outputs[0]!, [row.shape[0]!, outputs]);
  const inputs = [input, weight, bias];
  at.emit({ name: 'FULLY_CONNECTED', inputs, outputs: [output], fields: [], version: scales > 1 ? 12 : 3 });
};

function biasOf(at: Lowering, node: Node, outputs: number): Float32Array {
  if (!node.inputs[2]) return new Float32Array(outputs);
  const quantized = at.constant(node, 2);
  if (quantized) {
    const { values, scales } = quantized;
    return Float32Array.from(values, (value, channel) => value * scales[scales.length > 1 ? channel : 0]!);
  }
  const floats = at.graph.constantOf(node, 2) ?? at.refuse(node, 'its bias is not a constant');
  return Float32Array.from(numbersOf(floats));
}

const softmax: Handler = (at, node) => {
  const input = floatOf(at, node, node.inputs[0]!);
  const { shape } = at.tensors[input]!;
  const axis = intOf(node, 'axis', -1);
  if ((axis < 0 ? axis + shape.length : axis) !== shape.length - 1) at.refuse(node, 'it is not over the last axis');
  const output = at.float(node.outputs[0]!, shape);
  at.emit({ name: 'SOFTMAX', inputs: [input], outputs: [output], fields: softmaxFields, version: 1 });
};

/** By operator: how a node is written whose result is float. */
export const FLOAT_HANDLERS: Readonly<Record<string, Handler>> = { Gemm: product, MatMul: product, Softmax: softmax };
