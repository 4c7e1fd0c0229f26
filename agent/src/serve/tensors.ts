/** Tensors of the Open Inference Protocol v2: JSON data, or raw little-endian bytes after the JSON header [OIP, binary tensor data extension]. */
import type { TensorSpec } from '@espalier/proto';
import { z } from 'zod';
import { memo } from '../common/memo.js';
import { RequestInvalid } from '../errors.js';
import {
  bytesOf,
  decodeValues,
  elementBytes,
  elementsOf,
  type InputTensors,
  type RawTensor,
  type RawTensors,
} from '../runtime/values.js';
import { type Place, placeOf, type SharedMemory } from './shared-memory.js';

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

/** @throws ESP_REQUEST_INVALID */
function parseHeader(text: string): InferRequest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw RequestInvalid({ problem: `the header is not JSON: ${(error as Error).message}` }, { cause: error });
  }
  const result = InferRequest.safeParse(parsed);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw RequestInvalid({ problem: `${issue?.path.join('.')}: ${issue?.message}` });
}

/** Clients send the same short header with other bytes after it, again and again. */
const KNOWN_HEADERS = 32;
const SHORT_HEADER_BYTES = 1024;
const knownHeader = memo(parseHeader, KNOWN_HEADERS);

/** Splits a body into its JSON header and the bytes after it. @throws ESP_REQUEST_INVALID */
export function parseBody(body: Buffer, headerLength: number | null): { request: InferRequest; binary: Buffer } {
  const end = headerLength ?? body.length;
  if (!(end >= 0 && end <= body.length))
    throw RequestInvalid({ problem: `Inference-Header-Content-Length ${headerLength} is larger than the body` });
  const text = body.toString('utf8', 0, end);
  const request = end <= SHORT_HEADER_BYTES ? knownHeader(text) : parseHeader(text);
  return { request, binary: body.subarray(end) };
}

/** The type that an input has in the model, when name, type and shape fit. @throws ESP_REQUEST_INVALID naming the input */
export function checkInput(
  { name, datatype, shape }: { readonly name: string; readonly datatype: string; readonly shape: readonly number[] },
  specs: readonly TensorSpec[],
): string {
  const spec = specs.find((one) => one.name === name);
  if (!spec) {
    const known = specs.map((one) => one.name).join(', ');
    throw RequestInvalid({ problem: `the model has no input ${name}; it has ${known}` });
  }
  if (DATATYPES[datatype] !== spec.type)
    throw RequestInvalid({ problem: `input ${name} is ${datatypeOf(spec.type)}, not ${datatype}` });
  checkShape(name, shape, spec.shape);
  return spec.type;
}

/** @throws ESP_REQUEST_INVALID naming an input that did not come */
export function checkComplete(feeds: InputTensors, specs: readonly TensorSpec[]): void {
  const missing = specs.find(({ name }) => !feeds[name]);
  if (missing) throw RequestInvalid({ problem: `input ${missing.name} is missing` });
}

/** The request's inputs as tensors that fit the model. @throws ESP_REQUEST_INVALID naming the input */
export function readInputs(
  request: InferRequest,
  binary: Buffer,
  specs: readonly TensorSpec[],
  memory: SharedMemory,
): InputTensors {
  let at = 0;
  const feeds: Record<string, InputTensors[string]> = {};
  for (const input of request.inputs) {
    const { name, shape } = input;
    const type = checkInput(input, specs);
    const size = input.parameters?.binary_data_size;
    const place = placeOf(`input ${name}`, input.parameters);
    if (place) feeds[name] = fromPlace(name, type, shape, place, memory);
    else if (typeof size === 'number') {
      if (!(at + size <= binary.length))
        throw RequestInvalid({ problem: `input ${name} announces ${size} bytes, ${binary.length - at} are left` });
      feeds[name] = fromBytes(name, type, shape, binary.subarray(at, at + size));
      at += size;
    } else feeds[name] = fromJson(name, type, shape, input.data);
  }
  checkComplete(feeds, specs);
  return feeds;
}

/** An input in shared memory, read when its batch is put together. @throws ESP_REQUEST_INVALID, ESP_REGION_UNKNOWN */
export function fromPlace(
  name: string,
  type: string,
  shape: readonly number[],
  place: Place,
  memory: SharedMemory,
): InputTensors[string] {
  checkSize(name, type, shape, place.bytes);
  memory.check(place);
  return { type, shape, byteLength: place.bytes, read: (into) => memory.read(place, into) };
}

function checkSize(name: string, type: string, shape: readonly number[], bytes: number): void {
  const needed = elementsOf(shape) * (elementBytes(type) ?? 0);
  if (bytes !== needed)
    throw RequestInvalid({ problem: `input ${name} of shape [${shape}] needs ${needed} bytes and got ${bytes}` });
}

function checkShape(name: string, shape: readonly number[], wanted: TensorSpec['shape']): void {
  const fits =
    shape.length === wanted.length &&
    wanted.every((dim, axis) => typeof dim === 'string' || dim < 0 || dim === shape[axis]);
  if (!fits) throw RequestInvalid({ problem: `input ${name} has shape [${shape}], the model takes [${wanted}]` });
}

/** @throws ESP_REQUEST_INVALID when the bytes are not as many as the shape says */
export function fromBytes(name: string, type: string, shape: readonly number[], bytes: Uint8Array): RawTensor {
  checkSize(name, type, shape, bytes.length);
  return { type, shape, bytes };
}

/** @throws ESP_REQUEST_INVALID when a value is not a number or there are not as many as the shape says */
export function fromJson(name: string, type: string, shape: readonly number[], data: unknown): RawTensor {
  const count = elementsOf(shape);
  const flat = Array.isArray(data) ? data.flat(Number.POSITIVE_INFINITY) : null;
  if (!flat || flat.length !== count)
    throw RequestInvalid({
      problem: `input ${name} of shape [${shape}] needs ${count} values and got ${flat?.length ?? 'none'}`,
    });
  if (!flat.every((value) => ['number', 'boolean', 'bigint'].includes(typeof value)))
    throw RequestInvalid({ problem: `input ${name} holds a value that is not a number` });
  const target = decodeValues(type, new Uint8Array(count * (elementBytes(type) ?? 0)));
  const isBig = target instanceof BigInt64Array || target instanceof BigUint64Array;
  for (let at = 0; at < count; at++) target[at] = isBig ? BigInt(flat[at] as number) : Number(flat[at]);
  return { type, shape, bytes: bytesOf(target) };
}

/** The outputs asked for by name, or all. @throws ESP_REQUEST_INVALID naming one that the model has not */
export function selectOutputs(outputs: RawTensors, names: readonly string[] | undefined): [string, RawTensor][] {
  return (names ?? Object.keys(outputs)).map((name) => {
    const value = outputs[name];
    if (value) return [name, value];
    throw RequestInvalid({ problem: `the model has no output ${name}; it has ${Object.keys(outputs).join(', ')}` });
  });
}

/** The response: JSON, and when binary outputs were asked for, their bytes after it with the header's length. */
export function writeResponse(
  { name: model, version }: { readonly name: string; readonly version: string },
  request: InferRequest,
  outputs: RawTensors,
  memory: SharedMemory,
): { body: Buffer; headerLength: number | null } {
  const asked = new Map(request.outputs?.map(({ name, parameters }) => [name, parameters]));
  const allBinary = request.parameters?.binary_data_output === true;
  const chunks: Uint8Array[] = [];
  const list = selectOutputs(outputs, request.outputs && [...asked.keys()]).map(([name, { type, shape, bytes }]) => {
    const base = { name, shape, datatype: datatypeOf(type) };
    const place = placeOf(`output ${name}`, asked.get(name));
    if (place) {
      memory.write(place, bytes);
      const { region, offset } = place;
      const parameters = { shared_memory_region: region, shared_memory_offset: offset };
      return { ...base, parameters: { ...parameters, shared_memory_byte_size: bytes.length } };
    }
    const wanted = asked.get(name)?.binary_data;
    if (wanted !== true && !(allBinary && wanted !== false)) return { ...base, data: jsonValues(type, bytes) };
    chunks.push(bytes);
    return { ...base, parameters: { binary_data_size: bytes.length } };
  });
  const header = Buffer.from(
    JSON.stringify({ model_name: model, model_version: version, id: request.id, outputs: list }),
  );
  return { body: Buffer.concat([header, ...chunks]), headerLength: chunks.length > 0 ? header.length : null };
}

/** Values as JSON has them; one that JSON has not (NaN, infinity) is null, as JSON.stringify writes it. */
const jsonValues = (type: string, bytes: Uint8Array): number[] => Array.from(decodeValues(type, bytes), Number);
