import type { Graph } from '../onnx/graph.js';
import { floatOf, type Node } from '../onnx/node.js';
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
} from './pattern.js';

interface Found {
  readonly last: Node;
  readonly inner: readonly Node[];
  readonly x: string;
}

const OPSET = 14;

/** max(0, min(1, x / 6 + 1/2)), as HardSigmoid or as Clip(x + 3, 0, 6), which is six times it. */
function gateOf(graph: Graph, value: string): Gate | null {
  const sigmoid = madeBy(graph, value, 'HardSigmoid');
  if (sigmoid) {
    const fits = isClose(floatOf(sigmoid, 'alpha', 0.2), 1 / 6) && isClose(floatOf(sigmoid, 'beta', 0.5), 0.5);
    return fits ? { x: sigmoid.inputs[0]!, factor: 1, inner: [sigmoid] } : null;
  }
  const clip = madeBy(graph, value, 'Clip');
  const sum = clip && madeBy(graph, clip.inputs[0], 'Add');
  const x = besideScalar(graph, sum, 3);
  const bounded = clip && scalarOf(graph, clip.inputs[1]) === 0 && isClose(scalarOf(graph, clip.inputs[2]), 6);
  return clip && sum && x && bounded ? { x, factor: 6, inner: [sum, clip] } : null;
}

/** x max(0, min(1, x / 6 + 1/2)) written out becomes HardSwish.   [HardSwish-14] */
export const recognizeHardSwish = definePass<Found>({
  name: 'recognize-hard-swish',
  anchors: ['Mul', 'Div'],
  match(graph, last) {
    const found = gatedProduct(graph, last, gateOf);
    // Part of a longer product: the pattern ends further on, or is something else.
    if (!found || !isClose(found.factor, 1)) return no('');
    if (graph.opset() < OPSET) return no(`opset ${graph.opset()} has no HardSwish`);
    if (!isClosed(graph, found.inner, last)) return no('a part of it is read elsewhere');
    return yes({ last, ...found });
  },
  rewrite: (graph, { last, inner, x }) => replacePattern(graph, inner, last, { opType: 'HardSwish', inputs: [x] }),
});
