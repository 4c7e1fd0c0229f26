import { Builder } from 'flatbuffers';
import type { TfliteModel, TfliteOperator, TfliteTensor } from './model.js';
import { FILE_IDENTIFIER, type Field, OPERATORS, SCHEMA_VERSION, TENSOR_TYPE } from './schema.js';

/** Kernels read constants in place, with vector instructions. */
const DATA_ALIGNMENT = 16;
/** Codes above this do not fit the old field, which then holds this. */
const OLD_CODE_MAX = 127;

/** The file of a model: buffer 0 is empty, as the schema demands, and every constant has its own. */
export function writeTflite(model: TfliteModel): Uint8Array {
  const bytes = model.tensors.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  const builder = new Builder(bytes + 256 * (model.tensors.length + model.operators.length) + 1024);
  const buffers = [table(builder, 3, () => {})];
  const bufferOf = model.tensors.map(({ data }) => (data ? buffers.push(writeBuffer(builder, data)) - 1 : 0));
  const tensors = model.tensors.map((tensor, at) => writeTensor(builder, tensor, bufferOf[at]!));
  const { codes, indexOf } = operatorCodes(model.operators);
  const operators = model.operators.map((operator) => writeOperator(builder, operator, indexOf(operator)));
  const parts = {
    codes: offsets(
      builder,
      codes.map(({ code, version }) => writeCode(builder, code, version)),
    ),
    subgraphs: offsets(builder, [writeSubgraph(builder, model, tensors, operators)]),
    description: builder.createString(model.description),
    buffers: offsets(builder, buffers),
  };
  const root = table(builder, 8, () => {
    builder.addFieldInt32(0, SCHEMA_VERSION, 0);
    builder.addFieldOffset(1, parts.codes, 0);
    builder.addFieldOffset(2, parts.subgraphs, 0);
    builder.addFieldOffset(3, parts.description, 0);
    builder.addFieldOffset(4, parts.buffers, 0);
  });
  builder.finish(root, FILE_IDENTIFIER);
  return builder.asUint8Array();
}

function table(builder: Builder, slots: number, fill: () => void): number {
  builder.startObject(slots);
  fill();
  return builder.endObject();
}

/** A vector; flatbuffers are written from the end. */
function vector(builder: Builder, size: number, count: number, add: (at: number) => void): number {
  builder.startVector(size, count, size);
  for (let at = count - 1; at >= 0; at--) add(at);
  return builder.endVector();
}

const offsets = (builder: Builder, values: readonly number[]): number =>
  vector(builder, 4, values.length, (at) => builder.addOffset(values[at]!));
const int32s = (builder: Builder, values: readonly number[]): number =>
  vector(builder, 4, values.length, (at) => builder.addInt32(values[at]!));

function writeBuffer(builder: Builder, data: Uint8Array): number {
  builder.startVector(1, data.length, DATA_ALIGNMENT);
  for (let at = data.length - 1; at >= 0; at--) builder.writeInt8(data[at]!);
  const bytes = builder.endVector();
  return table(builder, 3, () => builder.addFieldOffset(0, bytes, 0));
}

function writeQuantization(
  builder: Builder,
  { scales, zeros, axis }: NonNullable<TfliteTensor['quantization']>,
): number {
  const scale = vector(builder, 4, scales.length, (at) => builder.addFloat32(scales[at]!));
  const zero = vector(builder, 8, zeros.length, (at) => builder.addInt64(BigInt(zeros[at]!)));
  return table(builder, 7, () => {
    builder.addFieldOffset(2, scale, 0);
    builder.addFieldOffset(3, zero, 0);
    builder.addFieldInt32(6, axis, 0);
  });
}

function writeTensor(builder: Builder, tensor: TfliteTensor, buffer: number): number {
  const quantization = tensor.quantization ? writeQuantization(builder, tensor.quantization) : 0;
  const shape = int32s(builder, tensor.shape);
  const name = builder.createString(tensor.name);
  return table(builder, 9, () => {
    builder.addFieldOffset(0, shape, 0);
    builder.addFieldInt8(1, TENSOR_TYPE[tensor.type], 0);
    builder.addFieldInt32(2, buffer, 0);
    builder.addFieldOffset(3, name, 0);
    builder.addFieldOffset(4, quantization, 0);
    // has_rank: a scalar's empty shape is a shape
    builder.addFieldInt8(8, 1, 0);
  });
}

interface Code {
  readonly code: number;
  readonly version: number;
}

/** Each operator and version that is used, once. */
function operatorCodes(operators: readonly TfliteOperator[]) {
  const codes: Code[] = [];
  const indexOf = ({ name, version = OPERATORS[name].version }: TfliteOperator): number => {
    const { code } = OPERATORS[name];
    const found = codes.findIndex((known) => known.code === code && known.version === version);
    return found >= 0 ? found : codes.push({ code, version }) - 1;
  };
  for (const operator of operators) indexOf(operator);
  return { codes, indexOf };
}

const writeCode = (builder: Builder, code: number, version: number): number =>
  table(builder, 4, () => {
    builder.addFieldInt8(0, Math.min(code, OLD_CODE_MAX), 0);
    builder.addFieldInt32(2, version, 1);
    builder.addFieldInt32(3, code, 0);
  });

function writeOptions(builder: Builder, fields: readonly Field[]): number {
  const vectors = fields.map((field) => (field.type === 'int32s' ? int32s(builder, field.value) : 0));
  return table(builder, 1 + Math.max(0, ...fields.map(({ slot }) => slot)), () => {
    for (const [at, field] of fields.entries()) {
      if (field.type === 'int8') builder.addFieldInt8(field.slot, field.value, 0);
      else if (field.type === 'int32') builder.addFieldInt32(field.slot, field.value, 0);
      else if (field.type === 'float32') builder.addFieldFloat32(field.slot, field.value, 0);
      else builder.addFieldOffset(field.slot, vectors[at]!, 0);
    }
  });
}

function writeOperator(builder: Builder, { name, inputs, outputs, fields }: TfliteOperator, code: number): number {
  const tag = OPERATORS[name].options;
  const options = tag === 0 ? 0 : writeOptions(builder, fields);
  const [ins, outs] = [int32s(builder, inputs), int32s(builder, outputs)];
  return table(builder, 9, () => {
    builder.addFieldInt32(0, code, 0);
    builder.addFieldOffset(1, ins, 0);
    builder.addFieldOffset(2, outs, 0);
    builder.addFieldInt8(3, tag, 0);
    builder.addFieldOffset(4, options, 0);
  });
}

function writeSubgraph(
  builder: Builder,
  { inputs, outputs }: TfliteModel,
  tensors: readonly number[],
  operators: readonly number[],
): number {
  const parts = [offsets(builder, tensors), int32s(builder, inputs), int32s(builder, outputs)];
  parts.push(offsets(builder, operators), builder.createString('main'));
  return table(builder, 5, () => {
    for (const [slot, part] of parts.entries()) builder.addFieldOffset(slot, part, 0);
  });
}
