import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ExternalDataInvalid, ModelInvalid, ModelUnreadable } from '../errors.js';
import {
  type GraphProto,
  TensorProto_DataLocation as Location,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './gen/onnx_pb.js';
import { Graph } from './graph.js';
import { elementBytes, elementCount, fromProto, type Tensor, Type, toProto } from './tensor.js';

/** Reads a model file with its side files. Throws ESP_MODEL_UNREADABLE, ESP_MODEL_INVALID, ESP_MODEL_EXTERNAL_DATA. */
export async function readModel(file: string): Promise<Graph> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw ModelUnreadable(
      { path: file, why: (error as NodeJS.ErrnoException).code ?? String(error) },
      { cause: error },
    );
  }
  const model = decode(bytes, file);
  for (const tensor of model.graph!.initializer) await loadExternal(tensor, path.dirname(file));
  return toGraph(model, file);
}

/** A model file's own bytes; encoded anew only when its data lies in side files, so that the result is whole. */
export async function readWhole(file: string): Promise<Uint8Array> {
  const bytes = await readFile(file);
  const external = decode(bytes, file).graph!.initializer.some((one) => one.dataLocation === Location.EXTERNAL);
  return external ? encodeModel(await readModel(file)) : bytes;
}

/** Decodes a model that carries all its data. Throws ESP_MODEL_INVALID. */
export const parseModel = (bytes: Uint8Array, name = 'model'): Graph => toGraph(decode(bytes, name), name);

function decode(bytes: Uint8Array, file: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw ModelInvalid({ path: file, why: bytes.length === 0 ? 'it is empty' : (error as Error).message });
  }
  if (!model.graph || model.opsetImport.length === 0) {
    throw ModelInvalid({ path: file, why: 'it has no graph or no operator set' });
  }
  return model;
}

/** Brings the data of a side file into the message [ONNX IR, "External Tensor Data"]. */
async function loadExternal(tensor: TensorProto, folder: string): Promise<void> {
  if (tensor.dataLocation !== Location.EXTERNAL) return;
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const problem = (why: string) => ExternalDataInvalid({ tensor: tensor.name, location, why });
  const full = path.resolve(folder, location);
  if (!location || path.isAbsolute(location) || path.relative(folder, full).startsWith('..')) {
    throw problem('the location leaves the folder of the model');
  }
  const offset = Number(entries.get('offset') ?? 0);
  const elements = elementCount(tensor.dims.map(Number));
  const length = Number(entries.get('length') ?? elements * (elementBytes(tensor.dataType) ?? 1));
  const handle = await open(full).catch((error: NodeJS.ErrnoException) => {
    throw problem(error.code ?? error.message);
  });
  try {
    const { bytesRead, buffer } = await handle.read(new Uint8Array(length), 0, length, offset);
    if (bytesRead !== length) throw problem(`it ends ${length - bytesRead} bytes early`);
    tensor.rawData = buffer;
  } finally {
    await handle.close();
  }
  tensor.dataLocation = Location.DEFAULT;
  tensor.externalData = [];
}

function toGraph(model: ModelProto, file: string): Graph {
  const proto = model.graph as GraphProto;
  const constants = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    const read = fromProto(tensor);
    const bytes = elementBytes(read.type);
    if (bytes !== null && read.bytes.length !== bytes * elementCount(read.dims)) {
      throw ModelInvalid({ path: file, why: `the data of tensor ${tensor.name} is not as long as its shape says` });
    }
    constants.set(tensor.name, read);
  }
  const names = new Set<string>();
  const nodes = proto.node.map((node, at) => {
    // Many exporters leave names empty: the first output is unique in the graph, so it names the node.
    let name = node.name || node.output.find(Boolean) || `node_${at}`;
    while (names.has(name)) name = `${name}_${at}`;
    names.add(name);
    return {
      name,
      opType: node.opType,
      domain: node.domain === 'ai.onnx' ? '' : node.domain,
      inputs: node.input,
      outputs: node.output,
      attributes: new Map(node.attribute.map((attribute) => [attribute.name, attribute])),
    };
  });
  proto.node = [];
  proto.initializer = [];
  // Before IR 4 every initializer stands among the inputs too; such defaults are taken as constants.
  const inputs = proto.input.filter((input) => !constants.has(input.name));
  return new Graph(model, { nodes, constants, inputs, outputs: proto.output });
}

/** The names of inputs that are constants by default and could be overridden by a caller (IR 3 models). */
export const overridableDefaults = (graph: Graph): string[] =>
  graph.shell.graph!.input.map((input) => input.name).filter((name) => graph.constants.has(name));

/** The whole model as one ONNX file; constants nobody reads are left out. */
export function encodeModel(graph: Graph): Uint8Array<ArrayBuffer> {
  const model = clone(ModelProtoSchema, graph.shell);
  const proto = model.graph!;
  const used = new Set(graph.outputs.map((output) => output.name));
  for (const name of graph.constants.keys()) if (graph.consumers(name).length > 0) used.add(name);
  proto.node = graph.nodes.map((node) =>
    create(NodeProtoSchema, {
      name: node.name,
      opType: node.opType,
      domain: node.domain,
      input: [...node.inputs],
      output: [...node.outputs],
      attribute: [...node.attributes.values()],
    }),
  );
  proto.initializer = [...graph.constants]
    .filter(([name]) => used.has(name))
    .map(([name, data]) => toProto(name, data));
  proto.input = [...graph.inputs];
  proto.output = [...graph.outputs];
  const values = new Set(graph.nodes.flatMap((node) => node.outputs));
  proto.valueInfo = proto.valueInfo.filter((info) => values.has(info.name));
  return toBinary(ModelProtoSchema, model) as Uint8Array<ArrayBuffer>;
}

/**
 * An independent copy: edits of one do not show in the other. Tensor bytes are shared and never written.
 * @param alsoReturn float values that the copy returns beside its outputs
 */
export function cloneGraph(graph: Graph, alsoReturn: readonly string[] = []): Graph {
  const nodes = graph.nodes.map((node) => ({ ...node, attributes: new Map(node.attributes) }));
  const value = { case: 'tensorType' as const, value: create(TypeProto_TensorSchema, { elemType: Type.FLOAT }) };
  const extra = alsoReturn
    .filter((name) => !graph.isOutput(name))
    .map((name) => create(ValueInfoProtoSchema, { name, type: create(TypeProtoSchema, { value }) }));
  return new Graph(clone(ModelProtoSchema, graph.shell), {
    nodes,
    constants: new Map(graph.constants),
    inputs: [...graph.inputs],
    outputs: [...graph.outputs, ...extra],
  });
}
