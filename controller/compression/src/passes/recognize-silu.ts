import type { Graph } from '../onnx/graph.js';
import { type Gate, madeBy } from './pattern.js';
import { recognizeGated } from './recognize-gated.js';

function gateOf(graph: Graph, value: string): Gate | null {
  const sigmoid = madeBy(graph, value, 'Sigmoid');
  return sigmoid && { x: sigmoid.inputs[0]!, factor: 1, inner: [sigmoid] };
}

/** x sigmoid(x), which is SiLU, becomes Swish with its alpha of 1.   [Swish-24] */
export const recognizeSilu = recognizeGated({
  ...{ name: 'recognize-silu', anchors: ['Mul'], opType: 'Swish', opset: 24, gateOf },
});
