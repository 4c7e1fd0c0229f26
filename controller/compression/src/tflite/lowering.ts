import { TfliteUnsupported } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { bytesOf, numbersOf, type Tensor, Type } from '../onnx/tensor.js';
import type { Quantization, TfliteOperator, TfliteTensor } from './model.js';

/** ONNX images are [N, C, H, W]; TensorFlow Lite's are [N, H, W, C]. */
export const TO_NHWC = [0, 2, 3, 1] as const;
/** Where each ONNX axis lies in a tensor of NHWC. */
export const AXIS_IN_NHWC = [0, 3, 1, 2] as const;

export const permute = (shape: readonly number[], order: readonly number[]): number[] =>
  order.map((axis) => shape[axis]!);

/** An activation on its way through the graph. */
export interface Value {
  readonly tensor: number;
  /** As the tensor lies in TensorFlow Lite. */
  readonly shape: readonly number[];
  readonly quantization: Quantization;
  /** `nhwc`: an image whose axes were permuted. `plain`: the axes are ONNX's. */
  readonly layout: 'nhwc' | 'plain';
  /** Of a row that was an image: [C, H, W]. Its elements lie in the order H, W, C. */
  readonly image?: readonly [number, number, number];
}

/** Quantized numbers of an initializer. */
export interface Constant {
  readonly values: readonly number[];
  readonly dims: readonly number[];
  readonly scales: readonly number[];
  readonly zeros: readonly number[];
  /** ONNX axis of the scales. */
  readonly axis: number;
}

const INTEGERS: readonly Type[] = [Type.INT8, Type.UINT8, Type.INT32];

/** Numbers of a quantized tensor as int8: uint8 with zero point z is the same real number as int8 with z - 128. */
export const asInt8 = (tensor: Tensor): number[] =>
  tensor.type === Type.UINT8 ? numbersOf(tensor).map((value) => value - 128) : numbersOf(tensor);

const same = (a: Quantization, b: Quantization): boolean => a.scale === b.scale && a.zero === b.zero;

/** What lowering has made so far: tensors and operators, and which ONNX value is which tensor. */
export class Lowering {
  readonly tensors: TfliteTensor[] = [];
  readonly operators: TfliteOperator[] = [];
  private readonly values = new Map<string, Value>();
  private readonly constants = new Map<string, Constant>();
  /** Tensors of floats by ONNX name, in ONNX's axes. */
  readonly floats = new Map<string, number>();

  /** @param ends what the network takes and gives: its integers, or the floats of the ONNX graph; see float-ends.ts */
  constructor(
    readonly graph: Graph,
    readonly ends: 'int8' | 'float',
  ) {}

  /** @throws ESP_TFLITE_UNSUPPORTED */
  refuse(node: Node, why: string): never {
    throw TfliteUnsupported({ node: node.name, op: node.opType, why });
  }

  add(tensor: TfliteTensor): number {
    return this.tensors.push(tensor) - 1;
  }

  emit(operator: TfliteOperator): void {
    this.operators.push(operator);
  }

  /** A new activation. */
  activation(name: string, shape: readonly number[], quantization: Quantization, layout: Value['layout']): Value {
    const { scale, zero } = quantization;
    const tensor = this.add({ name, shape, type: 'int8', quantization: { scales: [scale], zeros: [zero], axis: 0 } });
    return { tensor, shape, quantization, layout };
  }

  /** A new tensor of floats under an ONNX name. */
  float(name: string, shape: readonly number[]): number {
    const tensor = this.add({ name, shape, type: 'float32' });
    this.floats.set(name, tensor);
    return tensor;
  }

  int32s(name: string, values: readonly number[], shape: readonly number[] = [values.length]): number {
    return this.add({ name, shape, type: 'int32', data: bytesOf(Int32Array.from(values)) });
  }

  bind(name: string, value: Value): void {
    this.values.set(name, value);
  }

  find(name: string): Value | undefined {
    return this.values.get(name);
  }

  /** @throws ESP_TFLITE_UNSUPPORTED when the operand is float */
  value(node: Node, input: number): Value {
    return this.find(node.inputs[input] ?? '') ?? this.refuse(node, `its input ${node.inputs[input]} is float`);
  }

  /** The quantized constant at an input, or undefined. */
  constant(node: Node, input: number): Constant | undefined {
    return this.constants.get(node.inputs[input] ?? '');
  }

  bindConstant(name: string, constant: Constant): void {
    this.constants.set(name, constant);
  }

  /** The parameters at inputs 1 and 2 of a QuantizeLinear or DequantizeLinear. */
  parameters(node: Node): Pick<Constant, 'scales' | 'zeros' | 'axis'> {
    const scale = this.graph.constantOf(node, 1) ?? this.refuse(node, 'its scale is not a constant');
    const scales = numbersOf(scale);
    const zero = this.graph.constantOf(node, 2);
    if (zero && !INTEGERS.includes(zero.type)) this.refuse(node, 'its integers are not of 8 bits');
    return { scales, zeros: zero ? asInt8(zero) : scales.map(() => 0), axis: intOf(node, 'axis', 1) };
  }

  quantization(node: Node): Quantization {
    const { scales, zeros } = this.parameters(node);
    if (scales.length !== 1) this.refuse(node, 'its activation has a scale a channel');
    return { scale: scales[0]!, zero: zeros[0]! };
  }

  /** True when something reads a node's result as float. */
  givesFloat(node: Node): boolean {
    const output = node.outputs[0]!;
    const readers = this.graph.consumers(output);
    return (
      readers.length === 0 || this.graph.isOutput(output) || readers.some((one) => one.opType !== 'QuantizeLinear')
    );
  }

  /** The parameters that the quantization behind a node gives its output. */
  outputQuantization(node: Node): Quantization {
    if (this.givesFloat(node)) return this.refuse(node, `its output ${node.outputs[0]} is float`);
    return this.quantization(this.graph.consumers(node.outputs[0]!)[0]!);
  }

  /** The same numbers with other parameters. */
  requantize(value: Value, quantization: Quantization, name: string): Value {
    if (same(value.quantization, quantization)) return value;
    const made = this.activation(`${name}/requantized`, value.shape, quantization, value.layout);
    this.emit({ name: 'QUANTIZE', inputs: [value.tensor], outputs: [made.tensor], fields: [] });
    return value.image ? { ...made, image: value.image } : made;
  }

  /** The value with its axes in this order, and the layout they then are. */
  transpose(value: Value, order: readonly number[], layout: Value['layout'], name: string): Value {
    if (order.every((axis, at) => axis === at)) return { ...value, layout };
    const made = this.activation(`${name}/transposed`, permute(value.shape, order), value.quantization, layout);
    const inputs = [value.tensor, this.int32s(`${name}/order`, order)];
    this.emit({ name: 'TRANSPOSE', inputs, outputs: [made.tensor], fields: [] });
    return made;
  }

  /** An image as its kernels want it. */
  nhwc(value: Value, name: string): Value {
    return value.layout === 'nhwc' || value.shape.length !== 4 ? value : this.transpose(value, TO_NHWC, 'nhwc', name);
  }

  /** A value in the order of its ONNX axes. */
  plain(value: Value, name: string): Value {
    return value.layout === 'plain' ? value : this.transpose(value, AXIS_IN_NHWC, 'plain', name);
  }
}

/** What turns one node into operators and binds its output. */
export type Handler = (at: Lowering, node: Node) => void;
