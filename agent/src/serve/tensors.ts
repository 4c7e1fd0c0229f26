/** Tensors of the Open Inference Protocol v2: JSON data, or raw little-endian bytes after the JSON header [OIP, binary tensor data extension]. */
import type { TensorSpec } from '@espalier/proto';
import { z } from 'zod';
import { RequestInvalid } from '../errors.js';
import { bytesOf, decodeValues, elementBytes, elementsOf, type RawTensor, type RawTensors } from '../runtime/values.js';

const DATATYPES: Readonly<Record<string, string>> = {
  FP32: 'float32',
  FP64: 'float64',
  FP16: 'float16',
  INT8: 'int8',
  UINT8: 'uint8',
  INT16: 'int16',
  UINT16: 'uint16',
  INT32: 'int32',
  UINT32: 'uint32',
  INT64: 'int64',
  UINT64: 'uint64',
  BOOL: 'bool',
};
const NAMES = new Map(Object.entries(DATATYPES).map(([datatype, type]) => [type, datatype]));

export const datatypeOf = (type: string): string => NAMES.get(type) ?? 'BYTES';

const Parameters = z.record(z.string(), z.unknown()).optional();
export const InferRequest = z.object({
  id: z.string().optional(),
  parameters: Parameters,
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape: z.array(z.int().nonnegative()),
        datatype: z.string(),
        parameters: Parameters,
        data: z.unknown().optional(),
      }),
    )
    .min(1),
  outputs: z.array(z.object({ name: z.string(), parameters: Parameters })).optional(),
});
export type InferRequest = z.infer<typeof InferRequest>;

/** Splits a body into its JSON header and the bytes after it. @throws ESP_REQUEST_INVALID */
export function parseBody(body: Buffer, headerLength: number | null): { request: InferRequest; binary: Buffer } {
  const end = headerLength ?? body.length;
  if (!(end >= 0 && end <= body.length))
    throw RequestInvalid({ problem: `Inference-Header-Content-Length ${headerLength} is larger than the body` });
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.subarray(0, end).toString('utf8'));
  } catch (error) {
    throw RequestInvalid({ problem: `the header is not JSON: ${(error as Error).message}` }, { cause: error });
  }
  const result = InferRequest.safeParse(parsed);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw RequestInvalid({ problem: `${issue?.path.join('.')}: ${issue?.message}` });
  }
  return { request: result.data, binary: body.subarray(end) };
}

/** The request's inputs as tensors that fit the model. @throws ESP_REQUEST_INVALID naming the input */
export function readInputs(request: InferRequest, binary: Buffer, specs: readonly TensorSpec[]): RawTensors {
  let at = 0;
  const feeds: Record<string, RawTensor> = {};
  for (const input of request.inputs) {
    const spec = specs.find(({ name }) => name === input.name);
    if (!spec)
      throw RequestInvalid({
        problem: `the model has no input ${input.name}; it has ${specs.map(({ name }) => name).join(', ')}`,
      });
    const type = DATATYPES[input.datatype];
    if (type !== spec.type)
      throw RequestInvalid({ problem: `input ${input.name} is ${datatypeOf(spec.type)}, not ${input.datatype}` });
    checkShape(input.name, input.shape, spec.shape);
    const size = input.parameters?.binary_data_size;
    const count = elementsOf(input.shape);
    if (typeof size === 'number') {
      if (at + size > binary.length)
        throw RequestInvalid({
          problem: `input ${input.name} announces ${size} bytes, ${binary.length - at} are left`,
        });
      feeds[input.name] = fromBytes(input.name, type, input.shape, count, binary.subarray(at, at + size));
      at += size;
    } else feeds[input.name] = fromJson(input.name, type, input.shape, count, input.data);
  }
  const missing = specs.find(({ name }) => !feeds[name]);
  if (missing) throw RequestInvalid({ problem: `input ${missing.name} is missing` });
  return feeds;
}

function checkShape(name: string, shape: readonly number[], wanted: TensorSpec['shape']): void {
  const fits =
    shape.length === wanted.length &&
    wanted.every((dim, axis) => typeof dim === 'string' || dim < 0 || dim === shape[axis]);
  if (!fits) throw RequestInvalid({ problem: `input ${name} has shape [${shape}], the model takes [${wanted}]` });
}

function fromBytes(name: string, type: string, shape: readonly number[], count: number, bytes: Uint8Array): RawTensor {
  const needed = count * (elementBytes(type) ?? 0);
  if (bytes.length !== needed)
    throw RequestInvalid({
      problem: `input ${name} of shape [${shape}] needs ${needed} bytes and got ${bytes.length}`,
    });
  return { type, shape, bytes };
}

function fromJson(name: string, type: string, shape: readonly number[], count: number, data: unknown): RawTensor {
  const flat = Array.isArray(data) ? data.flat(Number.POSITIVE_INFINITY) : null;
  if (!flat || flat.length !== count)
    throw RequestInvalid({
      problem: `input ${name} of shape [${shape}] needs ${count} values and got ${flat?.length ?? 'none'}`,
    });
  if (!flat.every((value) => typeof value === 'number' || typeof value === 'boolean'))
    throw RequestInvalid({ problem: `input ${name} holds a value that is not a number` });
  const target = decodeValues(type, new Uint8Array(count * (elementBytes(type) ?? 0)));
  const isBig = target instanceof BigInt64Array || target instanceof BigUint64Array;
  for (let at = 0; at < count; at++) target[at] = isBig ? BigInt(flat[at] as number) : Number(flat[at]);
  return { type, shape, bytes: bytesOf(target) };
}

/** The response: JSON, and when binary outputs were asked for, their bytes after it with the header's length. */
export function writeResponse(
  model: string,
  version: string,
  request: InferRequest,
  outputs: RawTensors,
): { body: Buffer; headerLength: number | null } {
  const names = request.outputs?.map(({ name }) => name) ?? Object.keys(outputs);
  const allBinary = request.parameters?.binary_data_output === true;
  const chunks: Buffer[] = [];
  const list = names.map((name) => {
    const value = outputs[name];
    if (!value)
      throw RequestInvalid({ problem: `the model has no output ${name}; it has ${Object.keys(outputs).join(', ')}` });
    const base = { name, shape: value.shape, datatype: datatypeOf(value.type) };
    const asked = request.outputs?.find((output) => output.name === name)?.parameters?.binary_data;
    if (asked !== true && !(allBinary && asked !== false))
      return { ...base, data: Array.from(decodeValues(value.type, value.bytes), Number) };
    const bytes = Buffer.from(value.bytes.buffer, value.bytes.byteOffset, value.bytes.byteLength);
    chunks.push(bytes);
    return { ...base, parameters: { binary_data_size: bytes.length } };
  });
  const header = Buffer.from(
    JSON.stringify({ model_name: model, model_version: version, id: request.id, outputs: list }),
  );
  return { body: Buffer.concat([header, ...chunks]), headerLength: chunks.length > 0 ? header.length : null };
}
