import '../runtime/no-telemetry.js';
import { dequantizeInto, fitImage, normalizeInto, type Preprocess, type TensorSpec } from '@espalier/proto';
import { Tensor } from 'onnxruntime-node';
import { DataUnfit } from '../errors.js';
import type { Feeds } from '../runtime/session.js';
import type { Content, Dataset } from './content.js';
import { matchNames } from './named-inputs.js';

/** Several samples as model inputs. `size` counts the real ones: a fixed batch is filled up with the last sample. */
export interface Batch {
  readonly feeds: Feeds;
  readonly labels: Int32Array | null;
  readonly size: number;
  /** Number of the first sample. */
  readonly start: number;
}

export interface BatchOptions {
  readonly inputs: readonly TensorSpec[];
  readonly preprocess: Preprocess | null;
  readonly batchSize: number;
  readonly limit?: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

type Elements = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

const ARRAYS: Readonly<Record<string, new (length: number) => Elements>> = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
};

/** mulberry32: a small generator that gives the same numbers for the same seed on every machine; 0 <= x < 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The batch size a model is fed with: its own when that is fixed. */
export function batchSizeFor(inputs: readonly TensorSpec[], wanted: number): number {
  const fixed = inputs.map((input) => input.shape[0]).find((dim) => typeof dim === 'number');
  return typeof fixed === 'number' ? fixed : wanted;
}

/** Streams a data set as model inputs; stops with the signal's reason. Throws ESP_DATA_UNFIT. */
export async function* batches(data: Dataset, options: BatchOptions): AsyncGenerator<Batch> {
  const size = batchSizeFor(options.inputs, options.batchSize);
  const n = Math.min(data.n, options.limit ?? data.n);
  for (let start = 0; start < n; start += size) {
    options.signal?.throwIfAborted();
    const real = Math.min(size, n - start);
    const rows = typeof options.inputs[0]?.shape[0] === 'number' ? size : real;
    const samples: Record<string, Float32Array>[] = [];
    for (let at = start; at < start + real; at++) samples.push(await sampleInputs(data, at, options));
    const feeds: Record<string, Tensor> = {};
    for (const input of options.inputs) feeds[input.name] = stack(data, input, samples, rows);
    const labels = data.labels ? data.labels.slice(start, start + real) : null;
    yield { feeds, labels, size: real, start };
  }
}

/** The first samples as one batch. Throws ESP_DATA_UNFIT. */
export async function firstFeeds(data: Dataset, options: BatchOptions, n: number): Promise<Feeds | null> {
  for await (const { feeds } of batches(data, { ...options, batchSize: n, limit: n })) return feeds;
  return null;
}

async function sampleInputs(data: Dataset, at: number, options: BatchOptions): Promise<Record<string, Float32Array>> {
  return inputsOf(data, await data.read(at), at, options);
}

/** The content of sample `at` as the model takes it. Throws ESP_DATA_UNFIT. */
export function inputsOf(
  data: Dataset,
  content: Content,
  at: number,
  options: Pick<BatchOptions, 'inputs' | 'preprocess' | 'seed'>,
): Record<string, Float32Array> {
  const { inputs, preprocess } = options;
  if (content.kind === 'inputs') return matchNames(data, content, inputs);
  if (content.kind === 'random') return drawInputs(inputs, options.seed + at);
  const input = inputs.find((one) => one.name === preprocess?.input) ?? inputs[0]!;
  if (inputs.length > 1) {
    throw DataUnfit({ spec: data.spec, input: input.name, why: `the model has ${inputs.length} inputs; use npy:` });
  }
  return { [input.name]: oneInput(data, content, input, preprocess) };
}

/** How images go in without a record: as they are. */
export const plainPreprocess = ({ name, shape }: TensorSpec): Preprocess => ({
  ...{ version: 1, input: name, color: null, resize: null, scale: 1, mean: [], std: [] },
  layout: shape[1] === 1 || shape[1] === 3 ? 'NCHW' : 'NHWC',
});

function oneInput(
  data: Dataset,
  content: Extract<Content, { kind: 'image' | 'stored' }>,
  input: TensorSpec,
  record: Preprocess | null,
): Float32Array {
  if (content.kind === 'stored') {
    const out = new Float32Array(content.values.length);
    if (record) dequantizeInto(content.values, record, out);
    else out.set(content.values);
    return out;
  }
  const pixels = fitImage(content.pixels, record);
  const used = record ?? plainPreprocess(input);
  const out = new Float32Array(pixels.width * pixels.height * pixels.channels);
  normalizeInto(pixels, used, out);
  const { width, height, channels } = pixels;
  const shape = used.layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const wanted = input.shape.slice(1);
  const differs = wanted.length === 3 && wanted.some((dim, at) => typeof dim === 'number' && dim !== shape[at]);
  if (differs) throw DataUnfit({ spec: data.spec, input: input.name, why: `[${shape}] given, [${wanted}] wanted` });
  return out;
}

/** Standard normal numbers by Box-Muller; a dimension without a size is taken as 1. */
function drawInputs(inputs: readonly TensorSpec[], seed: number): Record<string, Float32Array> {
  const random = randomFrom(seed);
  return Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const size = shape.slice(1).reduce<number>((count, dim) => count * (typeof dim === 'number' ? dim : 1), 1);
      const draw = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return [name, Float32Array.from({ length: size }, draw)];
    }),
  );
}

function stack(
  data: Dataset,
  input: TensorSpec,
  samples: readonly Record<string, Float32Array>[],
  rows: number,
): Tensor {
  const size = samples[0]![input.name]!.length;
  const known = input.shape.slice(1).reduce<number>((count, dim) => count * (typeof dim === 'number' ? dim : 1), 1);
  const unknown = input.shape.slice(1).filter((dim) => typeof dim === 'string').length;
  if (unknown === 0 && size !== known) {
    throw DataUnfit({ spec: data.spec, input: input.name, why: `${size} values a sample, ${known} wanted` });
  }
  const Elements = ARRAYS[input.type];
  if (!Elements)
    throw DataUnfit({ spec: data.spec, input: input.name, why: `inputs of type ${input.type} are not fed` });
  const flat = new Elements(size * rows);
  for (let row = 0; row < rows; row++) {
    const values = samples[Math.min(row, samples.length - 1)]![input.name]!;
    if (flat instanceof BigInt64Array)
      flat.set(
        BigInt64Array.from(values, (value) => BigInt(Math.round(value))),
        row * size,
      );
    else flat.set(values, row * size);
  }
  const side = unknown > 0 ? Math.round((size / known) ** (1 / unknown)) : 1;
  const dims = input.shape.slice(1).map((dim) => (typeof dim === 'number' ? dim : side));
  return new Tensor(input.type as 'float32', flat as Float32Array, [rows, ...dims]);
}
