import { type Node, tensorOf } from '../onnx/node.js';
import { floatTensor, int64Tensor, type Tensor } from '../onnx/tensor.js';
import { capturedBySubgraphs } from '../onnx/verify.js';
import { definePass, no, yes } from './pass.js';

/** Constant nodes become initializers, so that every pass finds weights in one place.   [ONNX Constant-13] */
export const constantsToInitializers = definePass<{ node: Node; tensor: Tensor }>({
  name: 'constants-to-initializers',
  anchors: ['Constant'],
  match(graph, node) {
    const value = node.outputs[0]!;
    if (graph.isOutput(value)) return no('it is an output of the graph');
    if (capturedBySubgraphs(graph).has(value)) return no('a subgraph reads it');
    const attribute = [...node.attributes.values()][0];
    if (attribute?.name === 'value') return yes({ node, tensor: tensorOf(node, 'value')! });
    if (attribute?.name === 'value_float') return yes({ node, tensor: floatTensor([], Float32Array.of(attribute.f)) });
    if (attribute?.name === 'value_floats') {
      const data = Float32Array.from(attribute.floats);
      return yes({ node, tensor: floatTensor([data.length], data) });
    }
    if (attribute?.name === 'value_int') return yes({ node, tensor: int64Tensor([], [Number(attribute.i)]) });
    if (attribute?.name === 'value_ints') {
      return yes({ node, tensor: int64Tensor([attribute.ints.length], attribute.ints.map(Number)) });
    }
    return no(`a constant given as ${attribute?.name ?? 'nothing'} is left as it is`);
  },
  rewrite(graph, { node, tensor }) {
    graph.remove(node);
    graph.constants.set(node.outputs[0]!, tensor);
  },
});
