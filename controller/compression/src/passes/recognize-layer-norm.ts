import { floatAttribute } from '../onnx/attributes.js';
import type { Graph } from '../onnx/graph.js';
import { intAttribute, intOf, intsOf, type Node } from '../onnx/node.js';
import { inferShapes } from '../onnx/shapes/infer.js';
import { numbersOf } from '../onnx/tensor.js';
import { definePass, no, yes } from './pass.js';
import { isClose, isClosed, madeBy, replacePattern, scalarOf } from './pattern.js';

interface Core {
  readonly x: string;
  readonly epsilon: number;
  readonly inner: readonly Node[];
}

interface Found extends Core {
  readonly last: Node;
  readonly scale: string;
  readonly bias: string | null;
}

const OPSET = 17;

/** Whether a mean is over the last axis alone, and keeps it. */
function isOverLast(graph: Graph, mean: Node, rank: number | undefined): boolean {
  const given = graph.constantOf(mean, 1);
  const axes = intsOf(mean, 'axes') ?? (given ? numbersOf(given) : []);
  const [axis] = axes;
  return axes.length === 1 && intOf(mean, 'keepdims', 1) === 1 && (axis === -1 || axis! + 1 === rank);
}

/** The square that a value is: of what, and by which node. */
function squareOf(graph: Graph, value: string): { of: string; node: Node } | null {
  const pow = madeBy(graph, value, 'Pow');
  if (pow && isClose(scalarOf(graph, pow.inputs[1]), 2)) return { of: pow.inputs[0]!, node: pow };
  const product = madeBy(graph, value, 'Mul');
  return product && product.inputs[0] === product.inputs[1] ? { of: product.inputs[0]!, node: product } : null;
}

/** x - mean(x): x, the mean, and both nodes. */
function centred(graph: Graph, value: string): { x: string; mean: Node; inner: Node[] } | null {
  const difference = madeBy(graph, value, 'Sub');
  const mean = difference && madeBy(graph, difference.inputs[1], 'ReduceMean');
  const x = mean?.inputs[0];
  return mean && x === difference.inputs[0] ? { x: x!, mean, inner: [difference, mean] } : null;
}

/** (x - mean) / sqrt(variance + epsilon) over the last axis. */
function coreOf(graph: Graph, division: Node): Core | null {
  const above = centred(graph, division.inputs[0]!);
  const root = madeBy(graph, division.inputs[1], 'Sqrt');
  const sum = root && madeBy(graph, root.inputs[0], 'Add');
  if (!above || !sum) return null;
  const at = scalarOf(graph, sum.inputs[1]) === null ? 0 : 1;
  const epsilon = scalarOf(graph, sum.inputs[at]);
  const variance = madeBy(graph, sum.inputs[1 - at], 'ReduceMean');
  const square = variance && squareOf(graph, variance.inputs[0]!);
  // Some exporters subtract twice.
  const below = square && centred(graph, square.of);
  if (!variance || !square || below?.x !== above.x || epsilon === null) return null;
  const rank = inferShapes(graph).of(above.x)?.length;
  if (![above.mean, below.mean, variance].every((mean) => isOverLast(graph, mean, rank))) return null;
  const inner = [...above.inner, ...below.inner, square.node, variance, sum, root];
  return { x: above.x, epsilon, inner: [...new Set(inner)] };
}

/** The node that alone reads a value, when it is this operator beside a constant of one axis: both. */
function onlyReader(graph: Graph, value: string, opType: string): { node: Node; constant: string } | null {
  const [node, ...others] = graph.consumers(value);
  if (node?.opType !== opType || others.length > 0 || graph.isOutput(value)) return null;
  const constant = node.inputs.find((input) => {
    const dims = input === value ? undefined : graph.constants.get(input)?.dims;
    return dims?.length === 1 && dims[0]! > 1;
  });
  return constant === undefined ? null : { node, constant };
}

/** Normalization over the last axis written out, with its scale, becomes LayerNormalization.   [LayerNormalization-17] */
export const recognizeLayerNorm = definePass<Found>({
  name: 'recognize-layer-norm',
  anchors: ['Div'],
  match(graph, division) {
    const core = coreOf(graph, division);
    if (!core) return no('');
    if (graph.opset() < OPSET) return no(`opset ${graph.opset()} has no LayerNormalization`);
    const scale = onlyReader(graph, division.outputs[0]!, 'Mul');
    if (!scale) return no('no scale of its own follows');
    const bias = onlyReader(graph, scale.node.outputs[0]!, 'Add');
    const [last, inner] = bias
      ? [bias.node, [...core.inner, division, scale.node]]
      : [scale.node, [...core.inner, division]];
    if (!isClosed(graph, inner, last)) return no('a part of it is read elsewhere');
    return yes({ ...core, inner, last, scale: scale.constant, bias: bias?.constant ?? null });
  },
  rewrite: (graph, { inner, last, x, epsilon, scale, bias }) =>
    replacePattern(graph, inner, last, {
      opType: 'LayerNormalization',
      inputs: [x, scale, ...(bias === null ? [] : [bias])],
      attributes: [intAttribute('axis', -1), floatAttribute('epsilon', epsilon)],
    }),
});
