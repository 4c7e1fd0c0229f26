import { create } from '@bufbuild/protobuf';
import { type TensorProto, TensorProtoSchema, TensorProto_DataType as Type } from './gen/onnx_pb.js';

export { Type };

/**
 * A constant: `bytes` are the elements, little-endian, in row-major order [ONNX IR, TensorProto.raw_data].
 * They may be an unaligned view into the file: read them with {@link floatsOf} or {@link numbersOf}.
 */
export interface Tensor {
  readonly dims: readonly number[];
  readonly type: Type;
  readonly bytes: Uint8Array;
  /** Only for STRING tensors, which have no raw form. */
  readonly strings?: readonly Uint8Array[];
}

const BYTES: Partial<Record<Type, number>> = {
  [Type.FLOAT]: 4,
  [Type.UINT8]: 1,
  [Type.INT8]: 1,
  [Type.UINT16]: 2,
  [Type.INT16]: 2,
  [Type.INT32]: 4,
  [Type.INT64]: 8,
  [Type.BOOL]: 1,
  [Type.FLOAT16]: 2,
  [Type.BFLOAT16]: 2,
  [Type.DOUBLE]: 8,
  [Type.UINT32]: 4,
  [Type.UINT64]: 8,
};

/** Bytes of one element, or null where elements are packed or have no fixed size. */
export const elementBytes = (type: Type): number | null => BYTES[type] ?? null;

export const elementCount = (dims: readonly number[]): number => dims.reduce((count, dim) => count * dim, 1);

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

const make = (type: Type, dims: readonly number[], data: ArrayBufferView): Tensor => ({
  type,
  dims,
  bytes: bytesOf(data),
});
export const floatTensor = (dims: readonly number[], data: Float32Array): Tensor => make(Type.FLOAT, dims, data);
export const int8Tensor = (dims: readonly number[], data: Int8Array): Tensor => make(Type.INT8, dims, data);
export const uint8Tensor = (dims: readonly number[], data: Uint8Array): Tensor => make(Type.UINT8, dims, data);
export const int32Tensor = (dims: readonly number[], data: Int32Array): Tensor => make(Type.INT32, dims, data);
export const int64Tensor = (dims: readonly number[], values: readonly number[]): Tensor =>
  make(Type.INT64, dims, BigInt64Array.from(values, BigInt));

/** A copy of the bytes at an aligned offset: views into a file may start anywhere. */
const aligned = (tensor: Tensor): ArrayBuffer => new Uint8Array(tensor.bytes).buffer;

/** The elements of a FLOAT or DOUBLE tensor as a fresh float32 array; null for every other type. */
export function floatsOf(tensor: Tensor): Float32Array | null {
  if (tensor.type === Type.FLOAT) return new Float32Array(aligned(tensor));
  if (tensor.type === Type.DOUBLE) return Float32Array.from(new Float64Array(aligned(tensor)));
  return null;
}

/** The elements of a tensor of whole numbers or floats; 64-bit integers lose what a double cannot hold. */
export function numbersOf(tensor: Tensor): number[] {
  const buffer = aligned(tensor);
  switch (tensor.type) {
    case Type.FLOAT:
      return [...new Float32Array(buffer)];
    case Type.DOUBLE:
      return [...new Float64Array(buffer)];
    case Type.INT64:
      return Array.from(new BigInt64Array(buffer), Number);
    case Type.INT32:
      return [...new Int32Array(buffer)];
    case Type.INT8:
      return [...new Int8Array(buffer)];
    case Type.INT16:
      return [...new Int16Array(buffer)];
    case Type.UINT8:
    case Type.BOOL:
      return [...new Uint8Array(buffer)];
    case Type.UINT16:
      return [...new Uint16Array(buffer)];
    case Type.UINT32:
      return [...new Uint32Array(buffer)];
    default:
      throw new TypeError(`tensors of type ${Type[tensor.type]} are not read as numbers`);
  }
}

/** The elements that stand in one of the typed fields instead of raw_data [onnx.proto, TensorProto]. */
function typedBytes(proto: TensorProto): Uint8Array {
  switch (proto.dataType) {
    case Type.FLOAT:
      return bytesOf(Float32Array.from(proto.floatData));
    case Type.DOUBLE:
      return bytesOf(Float64Array.from(proto.doubleData));
    case Type.INT64:
      return bytesOf(BigInt64Array.from(proto.int64Data));
    case Type.UINT64:
      return bytesOf(BigUint64Array.from(proto.uint64Data));
    case Type.UINT32:
      return bytesOf(Uint32Array.from(proto.uint64Data, Number));
    case Type.INT32:
      return bytesOf(Int32Array.from(proto.int32Data));
    case Type.FLOAT16:
    case Type.BFLOAT16:
    case Type.UINT16:
    case Type.INT16:
      return bytesOf(Uint16Array.from(proto.int32Data));
    default:
      return Uint8Array.from(proto.int32Data);
  }
}

/** Reads a TensorProto whose data is inside the message. */
export function fromProto(proto: TensorProto): Tensor {
  const dims = proto.dims.map(Number);
  const type = proto.dataType as Type;
  if (type === Type.STRING) return { dims, type, bytes: new Uint8Array(), strings: proto.stringData };
  return { dims, type, bytes: proto.rawData.length > 0 ? proto.rawData : typedBytes(proto) };
}

/** A TensorProto under this name; its raw_data shares the tensor's bytes. */
export function toProto(name: string, tensor: Tensor): TensorProto {
  const base = { name, dims: tensor.dims.map(BigInt), dataType: tensor.type };
  return tensor.strings
    ? create(TensorProtoSchema, { ...base, stringData: [...tensor.strings] })
    : create(TensorProtoSchema, { ...base, rawData: tensor.bytes });
}
