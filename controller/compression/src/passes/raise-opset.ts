import type { Graph } from '../onnx/graph.js';
import { intOf, intsOf, type Node } from '../onnx/node.js';
import { floatTensor, int64Tensor } from '../onnx/tensor.js';
import type { Pass } from './pass.js';

/** QuantizeLinear and DequantizeLinear take a scale per channel from here on [ONNX QuantizeLinear-13]. */
export const PER_CHANNEL_OPSET = 13;

/** Operators whose meaning did not change between opset 7 and 13, for the attributes and inputs they had at 7. */
const UNCHANGED = new Set(
  (
    'Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Concat Constant Conv ConvTranspose Cos ' +
    'DepthToSpace Div Dropout Elu Equal Exp Expand Flatten Floor GRU Gather Gemm GlobalAveragePool GlobalMaxPool ' +
    'Greater HardSigmoid Identity InstanceNormalization LRN LSTM LeakyRelu Less Log MatMul Max MaxPool Min Mul Neg ' +
    'Not Or PRelu Pow RNN Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd Relu Reshape Selu ' +
    'Shape Sigmoid Sin Size Softplus Softsign SpaceToDepth Sqrt Sub Sum Tan Tanh Tile Transpose Where'
  ).split(' '),
);

interface Converter {
  /** Why this node cannot be converted, or null. */
  readonly refuses?: (node: Node) => string | null;
  readonly convert?: (graph: Graph, node: Node) => void;
  /** Models of this version or newer need no conversion. */
  readonly since: number;
}

/** Turns an attribute with whole numbers into a constant at an input. */
function intsToInput(graph: Graph, node: Node, attribute: string, input: number): void {
  const values = intsOf(node, attribute);
  if (!values) return;
  graph.setInput(node, input, graph.addConstant(`${node.name}/${attribute}`, int64Tensor([values.length], values)));
  graph.setAttribute(node, attribute, null);
}

function floatToInput(graph: Graph, node: Node, attribute: string, input: number): void {
  const value = node.attributes.get(attribute)?.f;
  if (value === undefined) return;
  graph.setInput(node, input, graph.addConstant(`${node.name}/${attribute}`, floatTensor([], Float32Array.of(value))));
  graph.setAttribute(node, attribute, null);
}

const axesToInput: Converter = { since: 13, convert: (graph, node) => intsToInput(graph, node, 'axes', 1) };
/** Before 13 the input was coerced to 2-D at `axis` (default 1). */
const flattening: Converter = {
  since: 13,
  refuses: (node) => (intOf(node, 'axis', 1) === -1 ? null : 'before opset 13 it flattened its input'),
};

/** Operators that changed between 7 and 13, and how. */
const CONVERTERS: Readonly<Record<string, Converter>> = {
  Squeeze: axesToInput,
  Unsqueeze: axesToInput,
  ReduceSum: axesToInput,
  Split: { since: 13, convert: (graph, node) => intsToInput(graph, node, 'split', 1) },
  Softmax: flattening,
  LogSoftmax: flattening,
  Clip: {
    since: 11,
    convert(graph, node) {
      floatToInput(graph, node, 'min', 1);
      floatToInput(graph, node, 'max', 2);
    },
  },
  Pad: {
    since: 11,
    convert(graph, node) {
      intsToInput(graph, node, 'pads', 1);
      floatToInput(graph, node, 'value', 2);
    },
  },
  Slice: { since: 10, refuses: () => 'before opset 10 its ranges were attributes' },
  Resize: { since: 11, refuses: () => 'before opset 11 it had another coordinate rule' },
};

/**
 * Brings a model of opset 7..12 to opset 13, in place. A model that holds an operator with no known conversion stays
 * as it is, and the record says which. The caller compares outputs before and after.
 */
export const raiseOpset: Pass = {
  name: 'raise-opset',
  run(graph) {
    const from = graph.opset();
    if (from >= PER_CHANNEL_OPSET) return { name: this.name, applied: 0, reasons: [] };
    const reasons = from < 7 ? [`opset ${from} is older than 7`] : [];
    const changed = graph.nodes.filter((node) => node.domain === '' && !UNCHANGED.has(node.opType));
    for (const node of changed) {
      const converter = CONVERTERS[node.opType];
      if (converter && from >= converter.since) continue;
      const reason = converter ? converter.refuses?.(node) : `no conversion from opset ${from} is known`;
      if (reason) reasons.push(`${node.name} (${node.opType}): ${reason}`);
    }
    if (reasons.length > 0) return { name: this.name, applied: 0, reasons };
    for (const node of changed) {
      const converter = CONVERTERS[node.opType];
      if (converter && from < converter.since) converter.convert?.(graph, node);
    }
    graph.setOpset(PER_CHANNEL_OPSET);
    // Opset 13 came with IR 7; a lower IR version would also demand initializers among the inputs.
    if (graph.shell.irVersion < 7n) graph.shell.irVersion = 7n;
    return { name: this.name, applied: 1, reasons: [`opset ${from} -> ${PER_CHANNEL_OPSET}`] };
  },
};
