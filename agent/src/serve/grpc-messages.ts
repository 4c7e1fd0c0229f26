/** Between the messages of the Open Inference Protocol and what the agent works with. */
import type { TensorSpec } from '@espalier/proto';
import {
  type InferParameter,
  type InferTensorContents,
  type ModelInferRequest_InferInputTensor as Input,
  type ModelInferRequest,
  type ModelInferResponse,
  ModelStatistics,
} from '@espalier/proto/inference';
import { RequestInvalid } from '../errors.js';
import type { InputTensors, RawTensors } from '../runtime/values.js';
import type { modelStatistics } from './describe.js';
import { placeOf, type SharedMemory } from './shared-memory.js';
import { checkComplete, checkInput, datatypeOf, fromBytes, fromJson, fromPlace, selectOutputs } from './tensors.js';

export type Parameters = Readonly<Record<string, unknown>>;

/** Parameters as plain values; 64-bit numbers as numbers, which hold every size and time there is. */
export const parametersOf = (parameters: Readonly<Record<string, InferParameter>>): Parameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, { parameterChoice }]) => {
      const value = parameterChoice?.value;
      return [name, typeof value === 'bigint' ? Number(value) : value];
    }),
  );

const CONTENTS: Readonly<Record<string, keyof InferTensorContents>> = {
  ...{ bool: 'boolContents', int8: 'intContents', int16: 'intContents', int32: 'intContents' },
  ...{ int64: 'int64Contents', uint8: 'uintContents', uint16: 'uintContents', uint32: 'uintContents' },
  ...{ uint64: 'uint64Contents', float32: 'fp32Contents', float64: 'fp64Contents' },
};

function fromContents(
  name: string,
  type: string,
  shape: readonly number[],
  contents: Input['contents'],
): InputTensors[string] {
  const field = CONTENTS[type];
  if (!contents || !field)
    throw RequestInvalid({ problem: `input ${name} has no values: send them in raw_input_contents` });
  return fromJson(name, type, shape, contents[field]);
}

/** The request's inputs as tensors that fit the model. @throws ESP_REQUEST_INVALID naming the input */
export function inputsOf(request: ModelInferRequest, specs: readonly TensorSpec[], memory: SharedMemory): InputTensors {
  const { inputs, rawInputContents: raw } = request;
  const feeds: Record<string, InputTensors[string]> = {};
  let next = 0;
  for (const input of inputs) {
    const { name, datatype } = input;
    const shape = input.shape.map(Number);
    const type = checkInput({ name, datatype, shape }, specs);
    const place = placeOf(`input ${name}`, parametersOf(input.parameters));
    if (place) feeds[name] = fromPlace(name, type, shape, place, memory);
    else if (raw.length === 0) feeds[name] = fromContents(name, type, shape, input.contents);
    else {
      const bytes = raw[next++];
      if (!bytes) throw RequestInvalid({ problem: `raw_input_contents has no entry for input ${name}` });
      feeds[name] = fromBytes(name, type, shape, bytes);
    }
  }
  if (next < raw.length)
    throw RequestInvalid({ problem: `raw_input_contents has ${raw.length} entries for ${next} inputs` });
  checkComplete(feeds, specs);
  return feeds;
}

const text = (value: string): InferParameter => ({ parameterChoice: { $case: 'stringParam', value } });
const whole = (value: number): InferParameter => ({ parameterChoice: { $case: 'int64Param', value: BigInt(value) } });

/** The answer; outputs go as raw bytes, or into the shared memory that the request names. */
export function responseOf(
  { name: modelName, version: modelVersion }: { readonly name: string; readonly version: string },
  request: ModelInferRequest,
  outputs: RawTensors,
  memory: SharedMemory,
): ModelInferResponse {
  const asked = new Map(request.outputs.map(({ name, parameters }) => [name, parametersOf(parameters)]));
  const rawOutputContents: Buffer[] = [];
  const selected = selectOutputs(outputs, asked.size > 0 ? [...asked.keys()] : undefined);
  const list = selected.map(([name, { type, shape, bytes }]) => {
    const base = { name, datatype: datatypeOf(type), shape: shape.map(BigInt), contents: undefined };
    const place = placeOf(`output ${name}`, asked.get(name));
    if (!place) {
      rawOutputContents.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return { ...base, parameters: {} };
    }
    memory.write(place, bytes);
    const parameters = {
      shared_memory_region: text(place.region),
      ...{ shared_memory_offset: whole(place.offset), shared_memory_byte_size: whole(bytes.length) },
    };
    return { ...base, parameters };
  });
  return { modelName, modelVersion, id: request.id, parameters: {}, outputs: list, rawOutputContents };
}

const duration = ({ count, ns }: { readonly count: number; readonly ns: number }) => ({
  count: BigInt(count),
  ns: BigInt(ns),
});

export function statisticsOf(found: ReturnType<typeof modelStatistics>): ModelStatistics {
  const { inference_stats: stats, batch_stats: batches } = found;
  return ModelStatistics.fromPartial({
    ...{ name: found.name, version: found.version, lastInference: BigInt(found.last_inference) },
    ...{ inferenceCount: BigInt(found.inference_count), executionCount: BigInt(found.execution_count) },
    inferenceStats: {
      ...{ success: duration(stats.success), fail: duration(stats.fail), queue: duration(stats.queue) },
      computeInfer: duration(stats.compute_infer),
    },
    batchStats: batches.map(({ batch_size, compute_infer }) => ({
      ...{ batchSize: BigInt(batch_size), computeInfer: duration(compute_infer) },
    })),
  });
}
