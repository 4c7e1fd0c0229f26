/** How much an operator does for one sample, in the unit in which its time grows. */
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { elementCount } from '../onnx/tensor.js';
import { macsOf } from '../prune/macs.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Multiply-accumulates where it has weights, elements of its output otherwise. */
export const workOf = (graph: Graph, node: Node, shapes: Shapes): number =>
  macsOf(graph, node, shapes) || elementCount((shapes.get(node.outputs[0]!) ?? []).slice(1));
