import { create } from '@bufbuild/protobuf';
import { type TensorProto, TensorProtoSchema } from './gen/onnx_pb.js';
import { bytesOf, type Tensor, Type } from './tensor.js';

/** What each type is stored as when it stands in a typed field instead of raw_data [onnx.proto, TensorProto]. */
function typedBytes(proto: TensorProto): Uint8Array {
  switch (proto.dataType) {
    case Type.FLOAT:
    case Type.COMPLEX64:
      return bytesOf(Float32Array.from(proto.floatData));
    case Type.DOUBLE:
    case Type.COMPLEX128:
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
      // 8-bit types hold an element in each int32, 4- and 2-bit types a byte of packed elements.
      return Uint8Array.from(proto.int32Data);
  }
}

/** Reads a TensorProto whose data is inside the message; raw data is taken as a view. */
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
