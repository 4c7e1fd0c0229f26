/** The forms in which a tensor's elements may stand in a file. */
import { create, toBinary } from '@bufbuild/protobuf';
import { encodeModel, parseModel } from '@espalier/compression/onnx/codec';
import { ModelProtoSchema, TensorProtoSchema } from '@espalier/compression/onnx/gen/onnx_pb';
import { Type, tensorBytes } from '@espalier/compression/onnx/tensor';
import { fromProto } from '@espalier/compression/onnx/tensor-proto';
import t from 'tap';
import { message, modelFile, node, outputBytes, value } from '../support/message.ts';
import { floats, noise } from '../support/tiny.ts';

type Init = Parameters<typeof create<typeof TensorProtoSchema>>[1];
const hex = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes).toString('hex');

for (const [what, init, bytes] of [
  ['FLOAT in float_data', { dataType: Type.FLOAT, dims: [2n], floatData: [1, -2] }, '0000803f000000c0'],
  ['COMPLEX64 in float_data', { dataType: Type.COMPLEX64, dims: [1n], floatData: [1, -2] }, '0000803f000000c0'],
  ['DOUBLE in double_data', { dataType: Type.DOUBLE, dims: [1n], doubleData: [1] }, '000000000000f03f'],
  [
    'COMPLEX128 in double_data',
    { dataType: Type.COMPLEX128, dims: [1n], doubleData: [1, 0] },
    '000000000000f03f0000000000000000',
  ],
  ['INT64 in int64_data', { dataType: Type.INT64, dims: [1n], int64Data: [-2n] }, 'feffffffffffffff'],
  ['UINT64 in uint64_data', { dataType: Type.UINT64, dims: [1n], uint64Data: [2n] }, '0200000000000000'],
  ['UINT32 in uint64_data', { dataType: Type.UINT32, dims: [1n], uint64Data: [4294967295n] }, 'ffffffff'],
  ['INT32 in int32_data', { dataType: Type.INT32, dims: [1n], int32Data: [-2] }, 'feffffff'],
  ['INT16 in int32_data', { dataType: Type.INT16, dims: [1n], int32Data: [-2] }, 'feff'],
  ['FLOAT16 in int32_data', { dataType: Type.FLOAT16, dims: [1n], int32Data: [15360] }, '003c'],
  ['BFLOAT16 in int32_data', { dataType: Type.BFLOAT16, dims: [1n], int32Data: [16256] }, '803f'],
  ['INT8 in int32_data', { dataType: Type.INT8, dims: [2n], int32Data: [-1, 5] }, 'ff05'],
  ['BOOL in int32_data', { dataType: Type.BOOL, dims: [2n], int32Data: [0, 1] }, '0001'],
  ['FLOAT8E4M3FN in int32_data', { dataType: Type.FLOAT8E4M3FN, dims: [2n], int32Data: [56, 184] }, '38b8'],
  ['INT4 in int32_data, two an entry', { dataType: Type.INT4, dims: [3n], int32Data: [0x2f, 0x07] }, '2f07'],
  ['UINT2 in int32_data, four an entry', { dataType: Type.UINT2, dims: [5n], int32Data: [0xe4, 0x01] }, 'e401'],
  ['FLOAT4E2M1 in raw_data', { dataType: Type.FLOAT4E2M1, dims: [3n], rawData: Uint8Array.of(0x21, 0x03) }, '2103'],
] as [string, Init, string][]) {
  t.test(`${what} is read as raw bytes, and as long as its shape`, async (t) => {
    const tensor = fromProto(create(TensorProtoSchema, init));
    t.equal(hex(tensor), bytes);
    t.equal(tensorBytes(tensor.type, tensor.dims), bytes.length / 2);
  });
}

/** A model that returns one constant beside its input. */
const returning = (init: Init) => ({
  input: [value('x', [1])],
  output: [value('y'), value('k', null, init!.dataType)],
  initializer: [create(TensorProtoSchema, { name: 'w', ...init })],
  node: [node('Neg', ['x'], ['y']), node('Identity', ['w'], ['k'])],
});

for (const [type, init] of [
  ['INT4', { dataType: Type.INT4, dims: [3n], int32Data: [0x2f, 0x07] }],
  ['UINT4', { dataType: Type.UINT4, dims: [2n, 2n], rawData: Uint8Array.of(0x21, 0x43) }],
  ['FLOAT8E5M2', { dataType: Type.FLOAT8E5M2, dims: [2n], rawData: Uint8Array.of(1, 2) }],
  ['BFLOAT16', { dataType: Type.BFLOAT16, dims: [2n], rawData: Uint8Array.of(0x80, 0x3f, 0, 0) }],
  ['STRING', { dataType: Type.STRING, dims: [2n], stringData: [Buffer.from('a'), Buffer.from('bc')] }],
] as [string, Init][]) {
  t.test(`${type} constants are carried untouched`, async (t) => {
    const first = parseModel(modelFile(returning(init), { irVersion: 10n, opsetImport: [{ version: 21n }] }));
    const again = parseModel(encodeModel(first));
    t.strictSame(again.constants.get('w'), first.constants.get('w'));
    t.equal(again.constants.get('w')!.type, init!.dataType);
  });
}

t.test('a typed and a raw weight compute the same', async (t) => {
  const w = noise([4, 2], 3);
  const file = (init: Init) =>
    modelFile({
      input: [value('x', [1, 4])],
      output: [value('y')],
      initializer: [create(TensorProtoSchema, { name: 'w', dataType: Type.FLOAT, dims: [4n, 2n], ...init })],
      node: [node('MatMul', ['x', 'w'], ['y'])],
    });
  const typed = file({ floatData: [...new Float32Array(new Uint8Array(w.bytes).buffer)] });
  const x = floats([1, 4], [1, 2, 3, 4]);
  t.strictSame(await outputBytes(encodeModel(parseModel(typed)), { x }), await outputBytes(typed, { x }));
  t.strictSame(await outputBytes(typed, { x }), await outputBytes(file({ rawData: w.bytes }), { x }));
});

t.test('the bytes of a raw tensor are a view of the file', async (t) => {
  const file = toBinary(
    ModelProtoSchema,
    message(returning({ dataType: Type.UINT8, dims: [64n], rawData: new Uint8Array(64).fill(7) })),
  );
  const { bytes } = parseModel(file).constants.get('w')!;
  t.equal(bytes.buffer, file.buffer);
  file[bytes.byteOffset] = 9;
  t.equal(bytes[0], 9);
});

for (const [what, init] of [
  ['four times too short', { dataType: Type.FLOAT, dims: [4n], rawData: new Uint8Array(4) }],
  ['a bomb of a shape', { dataType: Type.FLOAT, dims: [1_000_000_000n, 1_000_000_000n, 1_000_000_000n] }],
  ['a negative dimension', { dataType: Type.FLOAT, dims: [-1n, -1n], rawData: new Uint8Array(4) }],
  ['a packed type that is too short', { dataType: Type.INT4, dims: [9n], rawData: new Uint8Array(4) }],
  ['a type nobody knows', { dataType: 99, dims: [1n], rawData: new Uint8Array(4) }],
  ['strings without their number', { dataType: Type.STRING, dims: [3n], stringData: [Buffer.from('a')] }],
] as [string, Init][]) {
  t.test(`a constant with ${what} is refused by name`, async (t) => {
    t.throws(() => parseModel(modelFile(returning(init))), { code: 'ESP_MODEL_INVALID', message: /\bw\b/ });
  });
}
