/** Whole model messages written down as data, for what {@link tinyGraph} cannot say: subgraphs, functions, side files. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  type GraphProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TypeProtoSchema,
  type ValueInfoProtoSchema,
} from '@espalier/compression/onnx/gen/onnx_pb';
import { type Tensor, Type } from '@espalier/compression/onnx/tensor';
import { toProto } from '@espalier/compression/onnx/tensor-proto';
import { defaultOptions, Session } from '@espalier/compression/runtime/session';
import { Tensor as OrtTensor } from 'onnxruntime-node';

/** As fields alone: a message that is made already is no input here. */
type Fields<S extends DescMessage> = Extract<MessageInitShape<S>, { $typeName?: undefined }>;
type GraphInit = Fields<typeof GraphProtoSchema>;
type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type ValueInit = MessageInitShape<typeof ValueInfoProtoSchema>;
export type ModelInit = Fields<typeof ModelProtoSchema>;

const typeOf = (elemType: Type, dims: readonly number[] | null): MessageInitShape<typeof TypeProtoSchema> => ({
  value: {
    case: 'tensorType',
    value: {
      elemType,
      ...(dims && {
        shape: { dim: dims.map((dim) => ({ value: { case: 'dimValue' as const, value: BigInt(dim) } })) },
      }),
    },
  },
});

/** A value with its element type and shape; null for a shape that is not said. */
export const value = (name: string, dims: readonly number[] | null = null, type = Type.FLOAT): ValueInit => ({
  name,
  type: typeOf(type, dims),
});

export const node = (opType: string, input: string[], output: string[], more: NodeInit = {}): NodeInit => ({
  opType,
  input,
  output,
  ...more,
});

export const graphAttribute = (name: string, g: GraphInit) =>
  create(AttributeProtoSchema, { name, type: Kind.GRAPH, g });
export const tensorAttribute = (name: string, tensor: Tensor) =>
  create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: toProto('', tensor) });

export const weights = (tensors: Readonly<Record<string, Tensor>>) =>
  Object.entries(tensors).map(([name, tensor]) => toProto(name, tensor));

/** A model of opset 17 (IR 8) unless said otherwise. */
export const message = (graph: GraphInit, more: ModelInit = {}) =>
  create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 17n }],
    ...more,
    graph: { name: 'g', ...graph },
  });

/** A model with a function of a domain of its own: `Twice` is a + a. */
export const withTwice: ModelInit = {
  opsetImport: [{ version: 17n }, { domain: 'local', version: 1n }],
  functions: [
    {
      name: 'Twice',
      domain: 'local',
      input: ['a'],
      output: ['b'],
      node: [node('Add', ['a', 'a'], ['b'])],
      opsetImport: [{ version: 17n }],
    },
  ],
};

export const modelFile = (graph: GraphInit, more: ModelInit = {}): Uint8Array =>
  toBinary(ModelProtoSchema, message(graph, more));

/** Outputs of a model file for float32 inputs, as their bytes: what is equal here is equal bit for bit. */
export async function outputBytes(
  model: Uint8Array | string,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, string>> {
  const session = await Session.open(model, 'model', { ...defaultOptions, intraOpNumThreads: 1 });
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { dims, bytes }]) => [
        name,
        new OrtTensor('float32', new Float32Array(new Uint8Array(bytes).buffer), [...dims]),
      ]),
    );
    const outputs = Object.entries(await session.run(feeds));
    return Object.fromEntries(
      outputs.map(([name, { data, dims }]) => {
        const { buffer, byteOffset, byteLength } = data as Float32Array;
        return [name, `[${dims.join()}] ${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}`];
      }),
    );
  } finally {
    await session.dispose();
  }
}
