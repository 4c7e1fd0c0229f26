import type { Graph } from '../onnx/graph.js';
import { Type } from '../onnx/tensor.js';

/** Operators that give integers or booleans for float operands, or whose result type is an attribute. */
const NOT_FLOAT = new Set(
  (
    'And ArgMax ArgMin Cast CastLike Constant ConstantOfShape Equal EyeLike Greater GreaterOrEqual IsInf IsNaN Less ' +
    'LessOrEqual NonMaxSuppression NonZero Not Or QuantizeLinear Shape Size Xor'
  ).split(' '),
);

/**
 * Values that are float32 for certain: float inputs and constants, and what is made of them. The arithmetic of shapes,
 * in int64, is none of them.
 */
export function floatValues(graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const { name, type } of graph.inputs) {
    if (type?.value.case === 'tensorType' && type.value.value.elemType === Type.FLOAT) found.add(name);
  }
  for (const [name, { type }] of graph.constants) if (type === Type.FLOAT) found.add(name);
  for (const { opType, domain, inputs, outputs } of graph.nodes) {
    if (domain === '' && !NOT_FLOAT.has(opType) && found.has(inputs[0] ?? '')) found.add(outputs[0]!);
  }
  return found;
}
