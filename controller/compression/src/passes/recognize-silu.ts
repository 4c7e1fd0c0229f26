import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { definePass, no, yes } from './pass.js';
import { type Gate, gatedProduct, isClose, isClosed, madeBy, replacePattern } from './pattern.js';

interface Found {
  readonly last: Node;
  readonly inner: readonly Node[];
  readonly x: string;
}

const OPSET = 24;

function gateOf(graph: Graph, value: string): Gate | null {
  const sigmoid = madeBy(graph, value, 'Sigmoid');
  return sigmoid && { x: sigmoid.inputs[0]!, factor: 1, inner: [sigmoid] };
}

/** x sigmoid(x), which is SiLU, becomes Swish with its alpha of 1.   [Swish-24] */
export const recognizeSilu = definePass<Found>({
  name: 'recognize-silu',
  anchors: ['Mul'],
  match(graph, last) {
    const found = gatedProduct(graph, last, gateOf);
    if (!found || !isClose(found.factor, 1)) return no('');
    if (graph.opset() < OPSET) return no(`opset ${graph.opset()} has no Swish`);
    if (!isClosed(graph, found.inner, last)) return no('a part of it is read elsewhere');
    return yes({ last, ...found });
  },
  rewrite: (graph, { last, inner, x }) => replacePattern(graph, inner, last, { opType: 'Swish', inputs: [x] }),
});
