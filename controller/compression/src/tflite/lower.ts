import type { ValueInfoProto } from '../onnx/gen/onnx_pb.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { declaredShape } from '../onnx/shapes/shape.js';
import { numbersOf } from '../onnx/tensor.js';
import { binary, logistic, softmax, unary } from './elementwise.js';
import { type Handler, Lowering, permute, TO_NHWC } from './lowering.js';
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
  if (constant) at.bindConstant(output, { values: numbersOf(constant), dims: constant.dims, ...at.parameters(node) });
  else at.bind(output, at.requantize(at.value(node, 0), at.quantization(node), output));
};

function bindInput(at: Lowering, node: Node, name: string): void {
  const input = at.graph.inputs.find((one) => one.name === name);
  const sizes = declaredSizes(input) ?? at.refuse(node, `the shape of its input ${name} is not static`);
  const image = sizes.length === 4;
  const [dims, layout] = image ? [permute(sizes, TO_NHWC), 'nhwc' as const] : [sizes, 'plain' as const];
  const value = at.activation(name, dims, at.quantization(node), layout);
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
 * A QDQ graph with int8 on every edge as full-integer TensorFlow Lite: int8 in and out, images NHWC. Nothing is
 * approximated: what has no exact counterpart is refused. Throws ESP_TFLITE_UNSUPPORTED with the node's name.
 */
export function lowerToTflite(graph: Graph, description: string): TfliteModel {
  const at = new Lowering(graph);
  for (const node of graph.nodes) {
    const handler = node.domain === '' ? HANDLERS[node.opType] : undefined;
    if (handler) handler(at, node);
    else at.refuse(node, 'there is no such operator');
  }
  const outputs = graph.outputs.map(({ name }) => {
    const value = at.find(name);
    const node = graph.producer(name);
    if (!value) return at.refuse(node ?? graph.nodes[0]!, `the output ${name} is float`);
    return value.tensor;
  });
  const inputs = graph.inputs.flatMap(({ name }) => at.find(name)?.tensor ?? []);
  return { tensors: at.tensors, operators: at.operators, inputs, outputs, description };
}
