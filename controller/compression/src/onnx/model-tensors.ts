import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
} from './gen/onnx_pb.js';
import { graphsOf } from './subgraph.js';

/** Every tensor message of a model: initializers, attributes, subgraphs, functions and training graphs. */
export function* tensorsOfModel(model: ModelProto): Iterable<TensorProto> {
  if (model.graph) yield* ofGraph(model.graph);
  for (const { node, attributeProto } of model.functions) {
    yield* ofNodes(node);
    yield* ofAttributes(attributeProto);
  }
  for (const { initialization, algorithm } of model.trainingInfo) {
    if (initialization) yield* ofGraph(initialization);
    if (algorithm) yield* ofGraph(algorithm);
  }
}

function* ofGraph(graph: GraphProto): Iterable<TensorProto> {
  yield* graph.initializer;
  yield* ofSparse(graph.sparseInitializer);
  yield* ofNodes(graph.node);
}

function* ofSparse(tensors: readonly SparseTensorProto[]): Iterable<TensorProto> {
  for (const { values, indices } of tensors) {
    if (values) yield values;
    if (indices) yield indices;
  }
}

function* ofNodes(nodes: readonly NodeProto[]): Iterable<TensorProto> {
  for (const node of nodes) yield* ofAttributes(node.attribute);
}

function* ofAttributes(attributes: readonly AttributeProto[]): Iterable<TensorProto> {
  for (const attribute of attributes) {
    if (attribute.t) yield attribute.t;
    yield* attribute.tensors;
    yield* ofSparse(attribute.sparseTensor ? [attribute.sparseTensor] : attribute.sparseTensors);
    for (const graph of graphsOf(attribute)) yield* ofGraph(graph);
  }
}
