import type { Node } from '../node.js';
import { inferShapes } from '../shapes/infer.js';
import { shapeText } from '../shapes/shape.js';
import { misfitOf } from './operands.js';
import type { Rule } from './rule.js';

/** Inputs that must be there, for the operators that we rewrite or look through. */
const INPUTS_MIN: Readonly<Record<string, number>> = {
  Conv: 2,
  ConvTranspose: 2,
  Gemm: 2,
  MatMul: 2,
  BatchNormalization: 5,
  InstanceNormalization: 3,
  Add: 2,
  Sub: 2,
  Mul: 2,
  Div: 2,
  Reshape: 1,
  QuantizeLinear: 2,
  DequantizeLinear: 2,
  ...Object.fromEntries(
    (
      'AveragePool Cast Clip Concat Dropout Flatten GlobalAveragePool Identity LeakyRelu MaxPool Pad ReduceMean Relu ' +
      'Sigmoid Softmax Squeeze Tanh Transpose Unsqueeze'
    )
      .split(' ')
      .map((name) => [name, 1]),
  ),
};

const known = (node: Node): number => (node.domain === '' ? (INPUTS_MIN[node.opType] ?? 0) : 0);

/** How nodes call their operators. */
export const operatorRules: readonly Rule[] = [
  {
    name: 'every operator set is imported',
    clause: 'ONNX IR, "Operator Sets"',
    *find(graph) {
      const local = new Set(graph.shell.functions.map((one) => one.domain));
      for (const node of graph.nodes) {
        if (graph.opset(node.domain) === 0 && !local.has(node.domain)) {
          yield { at: node.name, why: `domain "${node.domain}" of ${node.opType} is not imported` };
        }
      }
    },
  },
  {
    name: 'a node has the inputs and outputs its operator needs',
    clause: 'ONNX Operators: inputs that are not optional',
    *find(graph) {
      for (const node of graph.nodes) {
        const needed = known(node);
        const given = node.inputs.slice(0, needed).filter(Boolean).length;
        if (given < needed) yield { at: node.name, why: `${node.opType} needs ${needed} inputs and has ${given}` };
        if (needed > 0 && !node.outputs[0]) yield { at: node.name, why: `${node.opType} makes nothing` };
      }
    },
  },
  {
    name: 'operands have shapes that their operator takes',
    clause: 'ONNX Operators: Conv-11, ConvTranspose-11, Gemm-13, MatMul-13, BatchNormalization-15, "Broadcasting"',
    *find(graph) {
      const shapes = inferShapes(graph);
      if (shapes.areOfOldOperators) return;
      for (const node of graph.nodes) {
        const why = node.domain === '' ? misfitOf(node, node.inputs.map(shapes.of)) : null;
        if (why) yield { at: node.name, why };
      }
    },
  },
  {
    name: 'an output has the shape that is declared for it',
    clause: 'ONNX IR, "Static tensor shapes"',
    isOfFile: true,
    *find(graph) {
      for (const { value, node, declared, made } of inferShapes(graph).conflicts) {
        if (!graph.isOutput(value)) continue;
        yield { at: value, why: `${node.opType} makes ${shapeText(made)}, declared is ${shapeText(declared)}` };
      }
    },
  },
];
