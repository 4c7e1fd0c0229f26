import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './gen/onnx_pb.js';

/** The graphs of an attribute: the branches of If, the bodies of Loop and Scan. */
export const graphsOf = (attribute: AttributeProto): readonly GraphProto[] =>
  attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs;

/** Names that a graph defines before its first node runs. */
export const entryNames = (graph: GraphProto): string[] => [
  ...graph.input.map((input) => input.name),
  ...graph.initializer.map((tensor) => tensor.name),
  ...graph.sparseInitializer.map((tensor) => tensor.values?.name ?? ''),
];

interface Scope {
  /** Outer values the graph reads, its own subgraphs included. */
  readonly captured: ReadonlySet<string>;
  /** Every name that stands anywhere in the graph. */
  readonly mentioned: ReadonlySet<string>;
}
/** Attributes are replaced and never edited, so what was found for a graph stays true. */
const scopes = new WeakMap<GraphProto, Scope>();

/**
 * What a subgraph takes from outside: a value it reads or returns and has not defined before
 * [ONNX IR, "Graphs": names of an outer scope are visible inside].
 */
export function scopeOf(graph: GraphProto): Scope {
  const known = scopes.get(graph);
  if (known) return known;
  const own = new Set(entryNames(graph));
  const captured = new Set<string>();
  const mentioned = new Set(own);
  const read = (name: string): void => {
    if (name && !own.has(name)) captured.add(name);
    mentioned.add(name);
  };
  for (const node of graph.node) {
    for (const input of node.input) read(input);
    for (const inner of node.attribute.flatMap(graphsOf).map(scopeOf)) {
      for (const name of inner.captured) read(name);
      for (const name of inner.mentioned) mentioned.add(name);
    }
    for (const name of [node.name, ...node.output]) mentioned.add(name);
    for (const output of node.output) own.add(output);
  }
  for (const output of graph.output) read(output.name);
  const scope = { captured, mentioned };
  scopes.set(graph, scope);
  return scope;
}

/** A copy of an attribute in whose subgraphs every value of the map has its new name. Tensor bytes are shared. */
export function renameInAttribute(attribute: AttributeProto, names: ReadonlyMap<string, string>): AttributeProto {
  const changed = Object.assign(create(AttributeProtoSchema), attribute);
  if (attribute.g) changed.g = renameInGraph(attribute.g, names);
  changed.graphs = attribute.graphs.map((graph) => renameInGraph(graph, names));
  return changed;
}

function renameInGraph(graph: GraphProto, names: ReadonlyMap<string, string>): GraphProto {
  const rename = (name: string): string => names.get(name) ?? name;
  const info = (value: ValueInfoProto): ValueInfoProto =>
    Object.assign(create(ValueInfoProtoSchema), value, { name: rename(value.name) });
  const tensor = (value: TensorProto): TensorProto =>
    Object.assign(create(TensorProtoSchema), value, { name: rename(value.name) });
  const node = (value: NodeProto): NodeProto =>
    Object.assign(create(NodeProtoSchema), value, {
      input: value.input.map(rename),
      output: value.output.map(rename),
      attribute: value.attribute.map((one) => (graphsOf(one).length > 0 ? renameInAttribute(one, names) : one)),
    });
  return Object.assign(create(GraphProtoSchema), graph, {
    node: graph.node.map(node),
    initializer: graph.initializer.map(tensor),
    sparseInitializer: graph.sparseInitializer.map((one) => ({
      ...one,
      ...(one.values ? { values: tensor(one.values) } : {}),
    })),
    input: graph.input.map(info),
    output: graph.output.map(info),
    valueInfo: graph.valueInfo.map(info),
  });
}
