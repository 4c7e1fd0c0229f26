import { findHuge, findNotFinite } from '../finite.js';
import { AttributeProto_AttributeType as Kind } from '../gen/onnx_pb.js';
import type { Graph } from '../graph.js';
import { agree, declaredShape, shapeText } from '../shapes/shape.js';
import { elementCount, misfit } from '../tensor.js';
import { fromProto } from '../tensor-proto.js';
import { constantsOf } from './constants.js';
import type { Rule } from './rule.js';

/** Inputs at which an operator multiplies with learned numbers or adds them. */
const WEIGHT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2, 3, 4],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  PRelu: [1],
  RNN: [1, 2, 3],
  GRU: [1, 2, 3],
  LSTM: [1, 2, 3],
};

function weightNames(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const node of graph.nodes) {
    for (const at of WEIGHT_INPUTS[node.opType] ?? []) names.add(node.inputs[at] ?? '');
  }
  return names;
}

/** What constants hold. */
export const tensorRules: readonly Rule[] = [
  {
    name: 'a constant is as long as its shape',
    clause: 'onnx.proto, TensorProto: raw_data holds every element of dims',
    *find(graph) {
      for (const [name, tensor] of graph.constants) {
        const why = misfit(tensor);
        if (why) yield { at: name, why };
      }
    },
  },
  {
    name: 'a tensor attribute holds a tensor as long as its shape',
    clause: 'onnx.proto, AttributeProto: the field that the type names is set',
    *find(graph) {
      for (const node of graph.nodes) {
        for (const { name, type, t } of node.attributes.values()) {
          if (!t && type !== Kind.TENSOR && !(node.opType === 'Constant' && name === 'value')) continue;
          const why = t ? misfit(fromProto(t)) : 'it holds none';
          if (why) yield { at: node.name, why: `attribute ${name}: ${why}` };
        }
      }
    },
  },
  {
    name: 'weights are finite numbers',
    clause: 'our own: one NaN or infinite weight makes every output NaN; infinite masks and bounds are no weights',
    *find(graph) {
      const weights = weightNames(graph);
      for (const [name, tensor] of constantsOf(graph)) {
        const { nanAt, infiniteAt } = findNotFinite(tensor);
        const isWeight = weights.has(name);
        if (nanAt >= 0 && (isWeight || elementCount(tensor.dims) > 1)) {
          yield { at: name, why: `element ${nanAt} is NaN` };
        } else if (infiniteAt >= 0 && isWeight) yield { at: name, why: `element ${infiniteAt} is infinite` };
        else if (isWeight && findHuge(tensor) >= 0)
          yield { at: name, why: `element ${findHuge(tensor)} is beyond 2^64` };
      }
    },
  },
  {
    name: 'a constant has the shape that is declared for it',
    clause: 'ONNX IR, "Graphs": an initializer that is an input too has its type and shape',
    *find(graph) {
      const { input, output, valueInfo } = graph.shell.graph!;
      for (const info of [...input, ...output, ...valueInfo]) {
        const dims = graph.constants.get(info.name)?.dims;
        const declared = declaredShape(info);
        if (dims && declared && !agree(dims, declared)) {
          yield { at: info.name, why: `it is ${shapeText(dims)}, declared ${shapeText(declared)}` };
        }
      }
    },
  },
];
