/** Tiny models written down as data, and runs of them in the real runtime. */
import { create } from '@bufbuild/protobuf';
import { randomFrom } from '@espalier/compression/data/feeds';
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '@espalier/compression/onnx/gen/onnx_pb';
import { Graph } from '@espalier/compression/onnx/graph';
import { floatTensor, int64Tensor, type Tensor, Type } from '@espalier/compression/onnx/tensor';
import { toProto } from '@espalier/compression/onnx/tensor-proto';
import { Session } from '@espalier/compression/runtime/session';
import { Tensor as OrtTensor } from 'onnxruntime-node';

export type AttributeValue = number | string | number[] | { float: number } | Tensor;
type NodeText = [op: string, inputs: string[], outputs: string[], attributes?: Record<string, AttributeValue>];

export interface TinyModel {
  readonly opset?: number;
  readonly ir?: number;
  readonly inputs: Record<string, (number | string)[]>;
  readonly outputs: string[];
  readonly constants?: Record<string, Tensor>;
  readonly nodes: NodeText[];
  /** Names of the nodes in order; by default all are empty, as many exporters leave them. */
  readonly names?: string[];
}

const attribute = (name: string, value: AttributeValue): AttributeProto => {
  if (typeof value === 'number') return create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: Kind.STRING, s: new TextEncoder().encode(value) });
  }
  if (Array.isArray(value)) {
    return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map(BigInt) });
  }
  if ('float' in value) return create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: toProto(name, value) });
};

const valueInfo = (name: string, shape: (number | string)[] | null): ValueInfoProto => {
  const dim = shape?.map((one) =>
    create(TensorShapeProto_DimensionSchema, {
      value: typeof one === 'number' ? { case: 'dimValue', value: BigInt(one) } : { case: 'dimParam', value: one },
    }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: Type.FLOAT,
    ...(dim ? { shape: create(TensorShapeProtoSchema, { dim }) } : {}),
  });
  const type = create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } });
  return create(ValueInfoProtoSchema, { name, type });
};

/** The graph of a tiny model, as the codec would read it. */
export function tinyGraph(model: TinyModel): Graph {
  const inputs = Object.entries(model.inputs).map(([name, shape]) => valueInfo(name, shape));
  const shell = create(ModelProtoSchema, {
    irVersion: BigInt(model.ir ?? 8),
    opsetImport: [{ domain: '', version: BigInt(model.opset ?? 17) }],
    graph: { name: 'tiny', input: inputs },
  });
  const nodes = model.nodes.map(([opType, ins, outs, attributes = {}], at) => ({
    name: model.names?.[at] ?? outs[0]!,
    opType,
    domain: '',
    inputs: ins,
    outputs: outs,
    attributes: new Map(Object.entries(attributes).map(([name, value]) => [name, attribute(name, value)])),
  }));
  const outputs = model.outputs.map((name) => valueInfo(name, null));
  return new Graph(shell, { nodes, constants: new Map(Object.entries(model.constants ?? {})), inputs, outputs });
}

export const floats = (dims: number[], values: ArrayLike<number>): Tensor =>
  floatTensor(dims, Float32Array.from(values));
export const ints = (values: number[]): Tensor => int64Tensor([values.length], values);

/** Normal-like numbers in about -2..2, the same for the same seed. */
export function noise(dims: number[], seed: number, scale = 1): Tensor {
  const random = randomFrom(seed);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return floats(
    dims,
    Array.from({ length: size }, () => (random() + random() + random() - 1.5) * scale),
  );
}

/** Outputs of a graph for these inputs, by ONNX Runtime. */
export async function run(
  graph: Graph,
  inputs: Record<string, Tensor>,
  level: 'all' | 'disabled' = 'all',
): Promise<Record<string, Float32Array>> {
  const session = await Session.open(encodeModel(cloneGraph(graph)), 'tiny', {
    graphOptimizationLevel: level,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableMemPattern: true,
    enableCpuMemArena: true,
    extra: {},
  });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, bytes }]) => [
      name,
      new OrtTensor('float32', new Float32Array(new Uint8Array(bytes).buffer), [...dims]),
    ]),
  );
  const outputs = await session.floats(feeds);
  await session.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
}

/** Largest absolute difference of two outputs. */
export const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), a.length === b.length ? 0 : Infinity);

export const operators = (graph: Graph): string[] => graph.nodes.map((node) => node.opType);
