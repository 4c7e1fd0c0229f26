import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { clone, create, fromBinary } from '@bufbuild/protobuf';
import { ModelInvalid, ModelUnreadable } from '../errors.js';
import { encodeModel } from './encode.js';
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './gen/onnx_pb.js';
import { Graph } from './graph.js';
import { tensorsOfModel } from './model-tensors.js';
import type { Node } from './node.js';
import { isExternal, loadSideFiles } from './side-file.js';
import { misfit, type Tensor, Type } from './tensor.js';
import { fromProto } from './tensor-proto.js';

export { encodeModel } from './encode.js';
export { writeModel } from './write-model.js';

/** Reads a model file with its side files. Throws ESP_MODEL_UNREADABLE, ESP_MODEL_INVALID, ESP_MODEL_EXTERNAL_DATA. */
export async function readModel(file: string): Promise<Graph> {
  const model = decode(await readBytes(file), file);
  await loadSideFiles(tensorsOfModel(model), path.dirname(file));
  return toGraph(model, file);
}

/** A model file's own bytes; encoded anew only when its data lies in side files, so that the result is whole. */
export async function readWhole(file: string): Promise<Uint8Array> {
  const bytes = await readBytes(file);
  const external = [...tensorsOfModel(decode(bytes, file))].some(isExternal);
  return external ? encodeModel(await readModel(file)) : bytes;
}

/** Decodes a model that carries all its data. Throws ESP_MODEL_INVALID. */
export const parseModel = (bytes: Uint8Array, name = 'model'): Graph => toGraph(decode(bytes, name), name);

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ERR_FS_FILE_TOO_LARGE' ? 'a model file ends at 2 GB; larger ones keep weights beside' : code;
    throw ModelUnreadable({ path: file, why: why ?? String(error) }, { cause: error });
  }
}

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

function toGraph(model: ModelProto, file: string): Graph {
  const proto = model.graph as GraphProto;
  const constants = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    const { name } = tensor;
    if (!name) throw ModelInvalid({ path: file, why: 'an initializer has no name' });
    const read = fromProto(tensor);
    const why = misfit(read);
    if (why) throw ModelInvalid({ path: file, why: `the data of tensor ${name} does not fit: ${why}` });
    constants.set(name, read);
  }
  const nodes = toNodes(proto.node);
  proto.node = [];
  proto.initializer = [];
  // Before IR 4 every initializer stands among the inputs too; such defaults are taken as constants.
  const inputs = proto.input.filter((input) => !constants.has(input.name));
  return new Graph(model, { nodes, constants, inputs, outputs: proto.output });
}

/** Nodes under names that are unique: many exporters leave them empty, or give all the same. */
function toNodes(protos: readonly NodeProto[]): Node[] {
  const names = new Set<string>();
  return protos.map((source, at) => {
    // The first output is unique in the graph, so it names a node without a name.
    let name = source.name || source.output.find(Boolean) || `node_${at}`;
    while (names.has(name)) name = `${name}_${at}`;
    names.add(name);
    return {
      name,
      opType: source.opType,
      domain: source.domain === 'ai.onnx' ? '' : source.domain,
      inputs: source.input,
      outputs: source.output,
      attributes: new Map(source.attribute.map((attribute) => [attribute.name, attribute])),
      source,
    };
  });
}

/** The names of inputs that are constants by default and could be overridden by a caller (IR 3 models). */
export const overridableDefaults = (graph: Graph): string[] =>
  graph.shell.graph!.input.map((input) => input.name).filter((name) => graph.constants.has(name));

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
