import { textAttribute } from '../onnx/attributes.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { definePass, no, yes } from './pass.js';
import {
  besideScalar,
  type Gate,
  gatedProduct,
  isClose,
  isClosed,
  madeBy,
  replacePattern,
  scalarOf,
  scalings,
} from './pattern.js';

interface Found {
  readonly last: Node;
  readonly inner: readonly Node[];
  readonly x: string;
  readonly approximate: 'none' | 'tanh';
}

const OPSET = 20;

/** 1 + erf(x / sqrt 2) */
function errorGate(graph: Graph, value: string): Gate | null {
  const sum = madeBy(graph, value, 'Add');
  const erf = madeBy(graph, besideScalar(graph, sum, 1) ?? undefined, 'Erf');
  const x = erf && scalings(graph, erf.inputs[0]!).find(({ factor }) => isClose(factor, Math.SQRT1_2));
  return sum && x ? { x: x.value, factor: 1, inner: [sum, erf, ...x.inner] } : null;
}

/** x^3, as Pow or as x x x. */
function cubeOf(graph: Graph, value: string): { x: string; inner: Node[] } | null {
  const pow = madeBy(graph, value, 'Pow');
  if (pow) return isClose(scalarOf(graph, pow.inputs[1]), 3) ? { x: pow.inputs[0]!, inner: [pow] } : null;
  const outer = madeBy(graph, value, 'Mul');
  for (const [square, x] of outer ? [outer.inputs, [...outer.inputs].reverse()] : []) {
    const inner = madeBy(graph, square, 'Mul');
    if (outer && x && inner?.inputs.every((operand) => operand === x)) return { x, inner: [inner, outer] };
  }
  return null;
}

/** 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
function tanhGate(graph: Graph, value: string): Gate | null {
  const sum = madeBy(graph, value, 'Add');
  const tanh = madeBy(graph, besideScalar(graph, sum, 1) ?? undefined, 'Tanh');
  const argument =
    tanh && scalings(graph, tanh.inputs[0]!).find(({ factor }) => isClose(factor, Math.sqrt(2 / Math.PI)));
  const inside = argument ? madeBy(graph, argument.value, 'Add') : null;
  for (const [x, term] of inside ? [inside.inputs, [...inside.inputs].reverse()] : []) {
    const scaled = scalings(graph, term!).find(({ factor }) => isClose(factor, 0.044715));
    const cube = scaled && cubeOf(graph, scaled.value);
    if (!sum || !tanh || !inside || cube?.x !== x) continue;
    return { x: x!, factor: 1, inner: [sum, tanh, ...argument!.inner, inside, ...scaled!.inner, ...cube!.inner] };
  }
  return null;
}

/** x (1 + erf(x / sqrt 2)) / 2, or its form with tanh, becomes Gelu.   [Gelu-20; Hendrycks and Gimpel 2016] */
export const recognizeGelu = definePass<Found>({
  name: 'recognize-gelu',
  anchors: ['Mul', 'Div'],
  match(graph, last) {
    const exact = gatedProduct(graph, last, errorGate);
    const found = exact ?? gatedProduct(graph, last, tanhGate);
    if (!found || !isClose(found.factor, 0.5)) return no('');
    if (graph.opset() < OPSET) return no(`opset ${graph.opset()} has no Gelu`);
    if (!isClosed(graph, found.inner, last)) return no('a part of it is read elsewhere');
    return yes({ last, ...found, approximate: exact ? 'none' : 'tanh' });
  },
  rewrite: (graph, { last, inner, x, approximate }) =>
    replacePattern(graph, inner, last, {
      ...{ opType: 'Gelu', inputs: [x] },
      attributes: [textAttribute('approximate', approximate)],
    }),
});
