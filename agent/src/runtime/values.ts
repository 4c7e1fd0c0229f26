/** Values of ONNX element types as bytes and as typed arrays: row-major, little-endian. */
import type { TensorData, Tensors, TensorValue } from './protocol.js';

type TypedArray = new (buffer: ArrayBufferLike, byteOffset?: number, length?: number) => TensorData;

// float16 travels as raw bits; ONNX Runtime takes the engine's own half floats where there are some.
const Half: unknown = Reflect.get(globalThis, 'Float16Array') ?? Uint16Array;

const ARRAYS: Readonly<Record<string, TypedArray>> = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Half as TypedArray,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

const arrayOf = (type: string): TypedArray => {
  const array = ARRAYS[type];
  if (!array) throw new TypeError(`tensors of type ${type} are not supported`);
  return array;
};

/** Bytes of one element; null for types that have none, such as strings. */
export const elementBytes = (type: string): number | null =>
  ARRAYS[type] ? arrayOf(type).prototype.BYTES_PER_ELEMENT : null;

/** Bytes as values of an ONNX type; copied, so that alignment does not matter. */
export const decodeValues = (type: string, bytes: Uint8Array): TensorData =>
  new (arrayOf(type))(new Uint8Array(bytes).buffer);

/** Values of a buffer in place. @param buffer aligned to the type at `byteOffset` */
export const viewValues = (type: string, buffer: ArrayBufferLike, byteOffset: number, count: number): TensorData =>
  new (arrayOf(type))(buffer, byteOffset, count);

/** A tensor as its bytes: what comes from a socket and goes to a batch slot. */
export interface RawTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** An input that is read where it is needed: `read` fills memory of `byteLength` bytes, and may throw. */
export interface LazyTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  read(into: Uint8Array): void;
}
export type InputTensors = Readonly<Record<string, RawTensor | LazyTensor>>;
export type RawTensors = Readonly<Record<string, RawTensor>>;

export const bytesOf = ({ buffer, byteOffset, byteLength }: TensorData): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));

export const toRaw = (tensors: Tensors): RawTensors =>
  mapValues(tensors, ({ type, shape, data }) => ({ type, shape, bytes: bytesOf(data) }));

export const sizeOf = (tensor: RawTensor | LazyTensor): number =>
  'bytes' in tensor ? tensor.bytes.length : tensor.byteLength;

/** Writes a tensor's bytes into memory of their size. */
export function fillFrom(into: Uint8Array, tensor: RawTensor | LazyTensor): void {
  if ('bytes' in tensor) into.set(tensor.bytes);
  else tensor.read(into);
}

const own = (tensor: RawTensor | LazyTensor): Uint8Array => {
  const bytes = new Uint8Array(sizeOf(tensor));
  fillFrom(bytes, tensor);
  return bytes;
};

/** Copies: the bytes may belong to a slab or to a request. */
export const fromRaw = (tensors: InputTensors): Tensors =>
  mapValues(tensors, (tensor): TensorValue => {
    const { type, shape } = tensor;
    return { type, shape, data: viewValues(type, own(tensor).buffer, 0, elementsOf(shape)) };
  });

export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

/** The place of the largest value, the first of equals. */
export const largestAt = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at]! > values[best]!) best = at;
  return best;
};
