import type { Node } from '../onnx/node.js';
import { capturedBySubgraphs } from '../onnx/verify.js';
import { definePass, no, yes } from './pass.js';

/** Identity, and Dropout at inference, hand their input on: readers take the input itself.   [ONNX Dropout-13] */
export const dropIdentity = definePass<Node>({
  name: 'drop-identity',
  anchors: ['Identity', 'Dropout'],
  match(graph, node) {
    const [output, mask] = node.outputs;
    if (mask && (graph.consumers(mask).length > 0 || graph.isOutput(mask))) return no('its mask is read');
    if (node.opType === 'Dropout' && node.inputs[2]) return no('it may run in training mode');
    if (graph.isOutput(output!)) return no('it names an output of the graph');
    const captured = capturedBySubgraphs(graph);
    return captured.has(output!) ? no('a subgraph reads it') : yes(node);
  },
  rewrite(graph, node) {
    graph.replaceUses(node.outputs[0]!, node.inputs[0]!);
    graph.remove(node);
  },
});
