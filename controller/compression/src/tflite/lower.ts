import type { ValueInfoProto } from '../onnx/gen/onnx_pb.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { declaredShape } from '../onnx/shapes/shape.js';
import { binary, logistic, softmax, unary } from './elementwise.js';
import { FLOAT_HANDLERS, floatInput, floatOf } from './float-ends.js';
import { asInt8, type Handler, Lowering, permute, TO_NHWC } from './lowering.js';
import type { TfliteModel } from './model.js';
import { averagePool, maxPool, mean } from './pooling.js';
import { concat, pad, reshape, transpose } from './reshaping.js';
import { conv, fullyConnected } from './weighted.js';

/** Q gives a model's input its tensor, moves a name, or changes parameters. */
const quantize: Handler = (at, node) => {
  const source = node.inputs[0]!;
  const quantization = at.quantization(node);
  if (!at.find(source)) bindInput(at, node, source);
  at.bind(node.outputs[0]!, at.requantize(at.value(node, 0), quantization, source));
};

/** DQ of a constant keeps its integers; of an activation it moves the name. */
const dequantize: Handler = (at, node) => {
  const constant = at.graph.constantOf(node, 0);
  const output = node.outputs[0]!;
  if (constant) at.bindConstant(output, { values: asInt8(constant), dims: constant.dims, ...at.parameters(node) });
  else at.bind(output, at.requantize(at.value(node, 0), at.quantization(node), output));
};

function bindInput(at: Lowering, node: Node, name: string): void {
  const input = at.graph.inputs.find((one) => one.name === name);
  const sizes = declaredSizes(input) ?? at.refuse(node, `the shape of its input ${name} is not static`);
  const quantization = at.quantization(node);
  const image = sizes.length === 4;
  const [dims, layout] = image ? [permute(sizes, TO_NHWC), 'nhwc' as const] : [sizes, 'plain' as const];
  const value =
    at.ends === 'float' ? floatInput(at, name, sizes, quantization) : at.activation(name, dims, quantization, layout);
  at.bind(name, value);
}

function declaredSizes(input: ValueInfoProto | undefined): number[] | null {
  const shape = input ? declaredShape(input) : null;
  const sizes = (shape ?? []).filter((size) => size !== null);
  return shape && sizes.length === shape.length ? sizes : null;
}

const HANDLERS: Readonly<Record<string, Handler>> = {
  Add: binary('ADD'),
  AveragePool: averagePool,
  Concat: concat,
  Conv: conv,
  DequantizeLinear: dequantize,
  Flatten: reshape,
  Gemm: fullyConnected,
  GlobalAveragePool: mean,
  HardSwish: unary('HARD_SWISH'),
  MatMul: fullyConnected,
  MaxPool: maxPool,
  Mul: binary('MUL'),
  Pad: pad,
  QuantizeLinear: quantize,
  ReduceMean: mean,
  Relu: unary('RELU'),
  Reshape: reshape,
  Sigmoid: logistic,
  Softmax: softmax,
  Squeeze: reshape,
  Transpose: transpose,
  Unsqueeze: reshape,
};

/**
 * A QDQ graph as TensorFlow Lite, of one batch size. Ends of int8: full-integer, int8 in and out, images NHWC. Ends of float:
 * the inputs and outputs of the ONNX graph. Nothing is approximated: what has no exact counterpart is refused; integers of
 * uint8 are moved by 128, which changes nothing. Throws ESP_TFLITE_UNSUPPORTED with the node's name.
 */
export function lowerToTflite(graph: Graph, description: string, ends: Lowering['ends'] = 'int8'): TfliteModel {
  const at = new Lowering(graph, ends);
  for (const node of graph.nodes) {
    const known = node.domain === '' ? HANDLERS[node.opType] : undefined;
    const isFloat = ends === 'float' && !/^(De)?QuantizeLinear$/.test(node.opType) && at.givesFloat(node);
    const handler = (isFloat ? FLOAT_HANDLERS[node.opType] : undefined) ?? known;
    if (handler) handler(at, node);
    else at.refuse(node, 'there is no such operator');
  }
  const outputs = graph.outputs.map(({ name }) => {
    const node = graph.producer(name) ?? graph.nodes[0]!;
    if (ends === 'float') return floatOf(at, node, name);
    return at.find(name)?.tensor ?? at.refuse(node, `the output ${name} is float`);
  });
  const inputs = graph.inputs.flatMap(({ name }) => at.floats.get(name) ?? at.find(name)?.tensor ?? []);
  return { tensors: at.tensors, operators: at.operators, inputs, outputs, description };
}
