import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ModelTooLarge } from '../errors.js';
import {
  GraphProtoSchema,
  TensorProto_DataLocation as Location,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './gen/onnx_pb.js';
import type { Graph } from './graph.js';
import type { Node } from './node.js';
import type { Tensor } from './tensor.js';
import { toProto } from './tensor-proto.js';

/** A message of protobuf, and so a model file, may not be larger [protobuf encoding, "Message size limit"]. */
export const FILE_BYTES_MAX = 2 ** 31 - 1;
/** From here on initializers need not stand among the inputs [ONNX IR, version 4]. */
const FREE_INITIALIZERS_IR = 4n;

/** Numbers of the fields that are written by hand, so that tensor bytes are not copied from message to message. */
const FIELD = { modelGraph: 7, graphInitializer: 5, tensorRawData: 9 } as const;

/** A constant as it goes into a file: its bytes, or where in a side file they lie. */
export interface Placed {
  readonly name: string;
  readonly tensor: Tensor;
  readonly external?: { readonly location: string; readonly offset: number };
}

/** Constants that a node, a subgraph or the caller reads; the others are not written. */
export const usedConstants = (graph: Graph): Placed[] =>
  [...graph.constants]
    .filter(([name]) => graph.isRead(name) || graph.isOutput(name))
    .map(([name, tensor]) => ({ name, tensor }));

/** The whole model as one ONNX file; constants nobody reads are left out. Throws ESP_MODEL_TOO_LARGE above 2 GB. */
export function encodeModel(graph: Graph): Uint8Array<ArrayBuffer> {
  const pieces = encodePieces(graph, usedConstants(graph));
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (length > FILE_BYTES_MAX) throw ModelTooLarge({ bytes: length });
  const file = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}

/** The bytes of a model file in order; those of tensors are views of the constants. */
export function encodePieces(graph: Graph, constants: readonly Placed[]): Uint8Array[] {
  const graphPieces = [toBinary(GraphProtoSchema, graphMessage(graph)), ...constants.flatMap(initializer)];
  const length = graphPieces.reduce((sum, piece) => sum + piece.length, 0);
  return [toBinary(ModelProtoSchema, modelMessage(graph)), header(FIELD.modelGraph, length), ...graphPieces];
}

/** Tag and length of a field that holds bytes or a message [protobuf encoding, "Length-Delimited Records"]. */
function header(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint64(BigInt(length)).finish();
}

function initializer({ name, tensor, external }: Placed): Uint8Array[] {
  const message = toProto(name, external ? { ...tensor, bytes: new Uint8Array() } : tensor);
  if (external) locate(message, external, tensor.bytes.length);
  const raw = message.rawData;
  message.rawData = new Uint8Array();
  const rest = toBinary(TensorProtoSchema, message);
  const data = raw.length > 0 ? [header(FIELD.tensorRawData, raw.length), raw] : [];
  const length = rest.length + data.reduce((sum, piece) => sum + piece.length, 0);
  return [header(FIELD.graphInitializer, length), rest, ...data];
}

function locate(message: TensorProto, { location, offset }: NonNullable<Placed['external']>, length: number): void {
  message.dataLocation = Location.EXTERNAL;
  const entries = { location, offset: String(offset), length: String(length) };
  message.externalData = Object.entries(entries).map(([key, value]) => ({
    $typeName: 'onnx.StringStringEntryProto',
    key,
    value,
  }));
}

/** The model without its graph. */
function modelMessage({ shell }: Graph): ModelProto {
  const { graph: _, ...rest } = shell;
  const irVersion = shell.irVersion < FREE_INITIALIZERS_IR ? FREE_INITIALIZERS_IR : shell.irVersion;
  return Object.assign(create(ModelProtoSchema), rest, { irVersion });
}

/** The graph without its initializers. */
function graphMessage(graph: Graph) {
  const shell = graph.shell.graph!;
  const nodes = graph.nodes;
  const values = new Set(nodes.flatMap((node) => node.outputs));
  return Object.assign(create(GraphProtoSchema), shell, {
    node: nodes.map(nodeMessage),
    initializer: [],
    input: [...graph.inputs],
    output: [...graph.outputs],
    valueInfo: shell.valueInfo.filter((info) => values.has(info.name)),
  });
}

function nodeMessage(node: Node): NodeProto {
  return Object.assign(create(NodeProtoSchema), node.source, {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: [...node.attributes.values()],
  });
}
