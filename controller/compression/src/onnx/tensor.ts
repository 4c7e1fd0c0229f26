import { TensorProto_DataType as Type } from './gen/onnx_pb.js';

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

/** Bits of one element; elements below a byte are packed, the first in the lowest bits [onnx.proto, raw_data]. */
const BITS: Partial<Record<Type, number>> = {
  [Type.FLOAT]: 32,
  [Type.UINT8]: 8,
  [Type.INT8]: 8,
  [Type.UINT16]: 16,
  [Type.INT16]: 16,
  [Type.INT32]: 32,
  [Type.INT64]: 64,
  [Type.BOOL]: 8,
  [Type.FLOAT16]: 16,
  [Type.BFLOAT16]: 16,
  [Type.DOUBLE]: 64,
  [Type.UINT32]: 32,
  [Type.UINT64]: 64,
  [Type.COMPLEX64]: 64,
  [Type.COMPLEX128]: 128,
  [Type.FLOAT8E4M3FN]: 8,
  [Type.FLOAT8E4M3FNUZ]: 8,
  [Type.FLOAT8E5M2]: 8,
  [Type.FLOAT8E5M2FNUZ]: 8,
  [Type.FLOAT8E8M0]: 8,
  [Type.UINT4]: 4,
  [Type.INT4]: 4,
  [Type.FLOAT4E2M1]: 4,
  [Type.UINT2]: 2,
  [Type.INT2]: 2,
};

/** Bytes of one element, or null where elements are packed or have no fixed size. */
export const elementBytes = (type: Type): number | null => {
  const bits = BITS[type] ?? 0;
  return bits >= 8 ? bits / 8 : null;
};

/** Bytes of all elements of a tensor; null for strings and types that are not known. */
export const tensorBytes = (type: Type, dims: readonly number[]): number | null => {
  const bits = BITS[type];
  return bits === undefined ? null : Math.ceil((bits * elementCount(dims)) / 8);
};

export const elementCount = (dims: readonly number[]): number => dims.reduce((count, dim) => count * dim, 1);

/** Why the elements of a tensor are not what its type and shape say, or null when they are. */
export function misfit({ type, dims, bytes, strings }: Tensor): string | null {
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) return `[${dims.join()}] is no shape`;
  if (strings) return strings.length === elementCount(dims) ? null : `${strings.length} strings for [${dims.join()}]`;
  const needed = tensorBytes(type, dims);
  if (needed === null) return `type ${type} is not known`;
  return needed === bytes.length ? null : `${bytes.length} bytes for ${Type[type]} [${dims.join()}]`;
}

/** The bytes of a typed array, as a view. */
export const bytesOf = (array: ArrayBufferView): Uint8Array =>
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
