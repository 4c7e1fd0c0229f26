import type { Graph } from '../onnx/graph.js';
import { floatOf } from '../onnx/node.js';
import { besideScalar, type Gate, isClose, madeBy, scalarOf } from './pattern.js';
import { recognizeGated } from './recognize-gated.js';

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
export const recognizeHardSwish = recognizeGated({
  ...{ name: 'recognize-hard-swish', anchors: ['Mul', 'Div'], opType: 'HardSwish', opset: 14, gateOf },
});
