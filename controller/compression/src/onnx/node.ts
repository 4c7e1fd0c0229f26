import { create } from '@bufbuild/protobuf';
import { type AttributeProto, AttributeProtoSchema, AttributeProto_AttributeType as Kind } from './gen/onnx_pb.js';
import { fromProto, type Tensor } from './tensor.js';

/** One operator call. Edited only through {@link Graph}, which keeps its indices true; an absent input is ''. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeProto>;
}

/** What a new node is made from; the graph gives it a fresh name. */
export interface NodeDraft {
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: readonly AttributeProto[];
}

export const intAttribute = (name: string, value: number): AttributeProto =>
  create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(value) });

export const intsAttribute = (name: string, values: readonly number[]): AttributeProto =>
  create(AttributeProtoSchema, { name, type: Kind.INTS, ints: values.map(BigInt) });

export function intOf(node: Node, name: string, otherwise: number): number {
  const found = node.attributes.get(name);
  return found ? Number(found.i) : otherwise;
}

export function floatOf(node: Node, name: string, otherwise: number): number {
  return node.attributes.get(name)?.f ?? otherwise;
}

/** The list an attribute holds, or null when the node does not have it. */
export const intsOf = (node: Node, name: string): number[] | null =>
  node.attributes.get(name)?.ints.map(Number) ?? null;

export function tensorOf(node: Node, name: string): Tensor | null {
  const found = node.attributes.get(name)?.t;
  return found ? fromProto(found) : null;
}

/** Outer values that the subgraphs of If, Loop and Scan read [ONNX IR, "Subgraphs"]; names are unique per model. */
export function capturedValues(node: Node): string[] {
  const captured: string[] = [];
  for (const attribute of node.attributes.values()) {
    for (const graph of attribute.g ? [attribute.g] : attribute.graphs) {
      captured.push(...graph.output.map((output) => output.name));
      for (const inner of graph.node) captured.push(...inner.input.filter(Boolean));
      for (const inner of graph.node) {
        const attributes = new Map(inner.attribute.map((one) => [one.name, one]));
        captured.push(...capturedValues({ ...inner, inputs: inner.input, outputs: inner.output, attributes }));
      }
    }
  }
  return captured;
}
