import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import { isConversion, type Node } from '../onnx/node.js';
import { floatsOf, numbersOf, Type } from '../onnx/tensor.js';
import { tooNarrow } from './limits.js';
import { WEIGHTED } from './plan.js';

/** A place in a quantized graph that breaks a rule of `weighted-inputs`. */
export interface Violation {
  readonly rule: string;
  readonly at: string;
  readonly why: string;
}

/** Where the output channels of weights lie, for operators where that does not depend on attributes. */
const CHANNEL_AXIS: Readonly<Record<string, number>> = { Conv: 0, ConvTranspose: 1, MatMul: 1 };

interface Rule {
  readonly name: string;
  /** Why the node breaks it, or null. */
  readonly why: (graph: Graph, node: Node, profile: HardwareProfile) => string | null;
}

const dequantizerOf = (graph: Graph, value: string | undefined): Node | undefined => {
  const made = value ? graph.producer(value) : undefined;
  return made?.opType === 'DequantizeLinear' ? made : undefined;
};
const isWeighted = ({ opType }: Node): boolean => WEIGHTED.has(opType);
const isInt8 = (graph: Graph, node: Node | undefined): boolean =>
  node !== undefined && isWeighted(node) && dequantizerOf(graph, node.inputs[1]) !== undefined;

/** What a DequantizeLinear of weights takes: the values before any quantization. */
const sourceOf = (graph: Graph, back: Node): string => {
  const quantizer = graph.producer(back.inputs[0]!);
  return quantizer?.opType === 'QuantizeLinear' ? quantizer.inputs[0]! : back.inputs[0]!;
};

const zeroPoint: Rule = {
  name: 'activations and weights are int8 with zero point 0',
  why(graph, node) {
    if (!isConversion(node)) return null;
    const zero = graph.constantOf(node, 2);
    if (!zero || zero.type !== Type.INT8) return 'its zero point is not a constant of int8';
    return numbersOf(zero).some((value) => value !== 0) ? 'its zero point is not 0' : null;
  },
};

const bothInputs: Rule = {
  name: 'a weighted operator reads both operands through Q/DQ, or none',
  why(graph, node) {
    if (!isWeighted(node)) return null;
    const [data, weights] = [dequantizerOf(graph, node.inputs[0]), dequantizerOf(graph, node.inputs[1])];
    return (data === undefined) === (weights === undefined) ? null : 'only one of its operands is quantized';
  },
};

const weightPair: Rule = {
  name: 'weights are float behind Q and DQ, a scale for each output channel',
  why(graph, node) {
    const back = isInt8(graph, node) ? dequantizerOf(graph, node.inputs[1])! : null;
    if (!back) return null;
    const weights = graph.constants.get(sourceOf(graph, back));
    if (!weights || !floatsOf(weights)) return 'its weights are no float constant';
    const scales = graph.constantOf(back, 1)!.dims;
    const axis = CHANNEL_AXIS[node.opType];
    return axis !== undefined && scales[0] !== weights.dims[axis] ? 'its weights have one scale' : null;
  },
};

const floatBias: Rule = {
  name: 'the bias stays float',
  why(graph, node) {
    if (!isInt8(graph, node) || !node.inputs[2]) return null;
    return graph.constantOf(node, 2)?.type === Type.FLOAT ? null : 'its bias is quantized';
  },
};

const noOutputPair: Rule = {
  name: 'only weighted operators and shortcuts read a dequantized value',
  why(graph, node, { placement }) {
    if (node.opType !== 'DequantizeLinear') return null;
    const value = node.outputs[0]!;
    if (graph.isOutput(value)) return 'it makes an output of the model';
    const other = graph
      .consumers(value)
      .find(
        (reader) =>
          reader.opType !== 'QuantizeLinear' && !isWeighted(reader) && !placement.residual.includes(reader.opType),
      );
    return other ? `${other.name} (${other.opType}) reads it` : null;
  },
};

const residual: Rule = {
  name: 'a residual sum joins one convolution: that operand is float, the shortcut is quantized',
  why(graph, node, { placement }) {
    if (!placement.residual.includes(node.opType)) return null;
    if (node.inputs.some((value) => graph.constants.has(value))) return null;
    const backs = node.inputs.map((value) => dequantizerOf(graph, value));
    const joined = node.inputs.filter((value) => isInt8(graph, graph.producer(value)) && graph.isSoleUse(value, node));
    if (backs.every(Boolean)) return 'both operands are quantized, so it joins nothing';
    if (joined.length > 0 && !backs.some(Boolean)) return 'its shortcut is not quantized';
    return null;
  },
};

const narrow: Rule = {
  name: 'narrow operators stay float',
  why(graph, node, profile) {
    const back = isInt8(graph, node) ? dequantizerOf(graph, node.inputs[1])! : null;
    if (!back) return null;
    // The first layer is known by the model's input, which lies before the pair.
    const data = dequantizerOf(graph, node.inputs[0]);
    const plain = { ...node, inputs: [data ? sourceOf(graph, data) : node.inputs[0]!, sourceOf(graph, back)] };
    return tooNarrow(graph, plain, profile.narrow);
  },
};

const oneScale: Rule = {
  name: 'operands and result of a Concat have one scale',
  why(graph, node, { fusion }) {
    if (!fusion.unify.includes(node.opType)) return null;
    const quantizers = [...node.inputs, ...node.outputs].flatMap((value) =>
      graph.consumers(value).filter(({ opType }) => opType === 'QuantizeLinear'),
    );
    const scales = new Set(quantizers.map((one) => floatsOf(graph.constantOf(one, 1)!)?.[0]));
    return scales.size > 1 ? `it has ${scales.size}` : null;
  },
};

const RULES: readonly Rule[] = [
  ...[zeroPoint, bothInputs, weightPair, floatBias],
  ...[noOutputPair, residual, narrow, oneScale],
];

/**
 * Every node of a quantized graph that breaks a rule of its profile's `weighted-inputs` placement; empty for other
 * placements. Pure.   [TensorRT developer guide, "Working with Quantized Types"]
 */
export function placementViolations(graph: Graph, profile: HardwareProfile): Violation[] {
  if (profile.placement.at !== 'weighted-inputs') return [];
  return graph.nodes.flatMap((node) =>
    RULES.flatMap(({ name, why }) => {
      const found = why(graph, node, profile);
      return found === null ? [] : [{ rule: name, at: node.name, why: found }];
    }),
  );
}
