import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  type NodeProto,
} from './gen/onnx_pb.js';
import { graphsOf, scopeOf } from './subgraph.js';
import type { Tensor } from './tensor.js';
import { fromProto } from './tensor-proto.js';

const NONE: ReadonlySet<string> = new Set();

/** One operator call. Edited only through {@link Graph}, which keeps its indices true; an absent input is ''. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  /** The message it was read from: overload, documentation and metadata are written again from it. */
  readonly source?: NodeProto;
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

/** The subgraphs of a node: the branches of If, the bodies of Loop and Scan. */
export function* subgraphsOf(node: Node): Iterable<GraphProto> {
  for (const attribute of node.attributes.values()) yield* graphsOf(attribute);
}

/** Outer values that a node's subgraphs read, each once [ONNX IR, "Graphs"]. */
export function capturedValues(node: Node): ReadonlySet<string> {
  let captured: ReadonlySet<string> = NONE;
  for (const graph of subgraphsOf(node)) {
    const { captured: found } = scopeOf(graph);
    captured = captured.size === 0 ? found : new Set([...captured, ...found]);
  }
  return captured;
}

/** True for a node that only goes from real numbers to integers or back. */
export const isConversion = ({ opType }: Pick<Node, 'opType'>): boolean =>
  opType === 'QuantizeLinear' || opType === 'DequantizeLinear';
