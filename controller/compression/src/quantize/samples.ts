import type { TensorSpec } from '@espalier/proto';
import { Tensor } from 'onnxruntime-node';
import { type Dataset, subset } from '../data/content.js';
import { type Batch, type BatchOptions, batches } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import { declaredShape } from '../onnx/shapes/shape.js';
import { collectGarbage } from '../runtime/collect.js';
import type { Feeds } from '../runtime/session.js';
import type { Shared } from '../share/shared.js';
import type { Method } from './observer.js';

export interface CalibrationOptions {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** The way ranges are drawn; by default the best of all. */
  readonly method?: Method | undefined;
  /** File that keeps what has been observed, for a calibration that was killed; by default none. */
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What builds of the same model have in common; by default nothing. */
  readonly shared?: Shared | undefined;
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** Calibration samples, decoded once: ranges and roundings are fitted on one part, choices are made on the other. */
export interface Samples {
  readonly fit: readonly Batch[];
  readonly check: readonly Batch[];
}

/** All of how samples are fed that decides what goes in. */
export const keyOfFeeding = ({ signal: _, ...feeding }: BatchOptions): unknown => feeding;

/** Batches of one drawing, told from those of others: by number, since their content takes long to compare. */
export function samplesKey(batches: readonly Batch[]): string {
  const [first] = batches;
  if (!first) return 'none';
  const number = numbers.get(first) ?? drawn++;
  numbers.set(first, number);
  return `${number}:${batches.length}`;
}
const numbers = new WeakMap<Batch, number>();
let drawn = 0;

/** Floats of one batch that all inputs of a model may hold together. */
const BATCH_FLOATS_MAX = 200_000;
/** Bytes of decoded samples that are held at once: memory stays the same from 50 samples to any number. */
const HELD_BYTES_MAX = 30_000_000;
/** With fewer, both parts are all of them. */
export const SAMPLES_MIN = 8;
/** One of so many samples is for choosing. */
const CHECK_EVERY = 4;

/** Bytes of one decoded sample. */
export const sampleBytes = (inputs: readonly TensorSpec[]): number => 4 * Math.max(1, sampleFloats(inputs));

const sampleFloats = (inputs: readonly TensorSpec[]): number =>
  inputs.reduce(
    (sum, { shape }) => sum + shape.slice(1).reduce<number>((n, dim) => n * (typeof dim === 'number' ? dim : 1), 1),
    0,
  );

/** Samples that are run at once: many small ones, few large ones, so that memory stays flat. */
const batchUpTo =
  (most: number) =>
  (inputs: readonly TensorSpec[]): number =>
    Math.max(1, Math.min(most, Math.floor(BATCH_FLOATS_MAX / Math.max(1, sampleFloats(inputs)))));

export const calibrationBatch = batchUpTo(4);
export const evaluationBatch = batchUpTo(8);

/** Which of n samples to take when `wanted` are: evenly spread, in order. */
export const spread = (n: number, wanted: number): number[] =>
  Array.from({ length: Math.min(n, wanted) }, (_, at) => Math.floor((at * n) / Math.min(n, wanted)));

interface Parts {
  readonly fit: readonly number[];
  readonly check: readonly number[];
  /** False with fewer than eight samples: both parts are all of them. */
  readonly isSplit: boolean;
}

/** Which of n samples are fitted to, and which are kept for choosing. Pure. */
export function partsOf(n: number, { inputs, limit }: Pick<BatchOptions, 'inputs' | 'limit'>): Parts {
  const held = Math.max(SAMPLES_MIN, Math.floor(HELD_BYTES_MAX / sampleBytes(inputs)));
  const drawn = spread(Math.min(n, limit ?? n), held);
  if (drawn.length < SAMPLES_MIN) return { fit: drawn, check: drawn, isSplit: false };
  const isKept = (at: number): boolean => at % CHECK_EVERY === CHECK_EVERY - 1;
  return {
    fit: drawn.filter((_, at) => !isKept(at)),
    check: drawn.filter((_, at) => isKept(at)),
    isSplit: true,
  };
}

/** Reads the calibration data and splits it. With fewer than eight samples both parts are all of them. */
export async function drawSamples({ data, feeding, onProgress }: CalibrationOptions): Promise<Samples> {
  const parts = partsOf(data.n, feeding);
  const [fit, check]: [Batch[], Batch[]] = [[], []];
  let done = 0;
  for (const [part, into] of [
    [parts.fit, fit],
    [parts.check, check],
  ] as const) {
    for await (const batch of batches(subset(data, part), { ...feeding, limit: part.length })) {
      into.push(batch);
      done += batch.size;
      onProgress?.(done / (parts.fit.length + parts.check.length));
    }
  }
  collectGarbage();
  return { fit, check };
}

/** The first batches whose inputs together hold about so many floats; at least one batch. */
export function firstFloats(all: readonly Batch[], floats: number): readonly Batch[] {
  let held = 0;
  const end = all.findIndex(({ feeds }) => {
    held += Object.values(feeds).reduce((sum, { data }) => sum + data.length, 0);
    return held >= floats;
  });
  return end < 0 ? all : all.slice(0, end + 1);
}

/**
 * Feeds of up to `most` batches in one, where the graph takes any number of samples. Batches of a single one stay alone:
 * its inner layers may have that number written down, and it is large.
 */
export function* joined(graph: Graph, all: readonly Batch[], most: number): Iterable<Feeds> {
  const isFree = graph.inputs.every((input) => declaredShape(input)?.[0] === null);
  const isWhole = ({ feeds, size }: Batch): boolean =>
    size > 1 && Object.values(feeds).every(({ data, dims }) => data instanceof Float32Array && dims[0] === size);
  const step = isFree && all.slice(0, -1).every(isWhole) ? most : 1;
  for (let start = 0; start < all.length; start += step) {
    const part = all.slice(start, start + step);
    yield part.length === 1 ? part[0]!.feeds : concatenated(part);
  }
}

function concatenated(part: readonly Batch[]): Feeds {
  return Object.fromEntries(
    Object.entries(part[0]!.feeds).map(([name, { dims }]) => {
      const parts = part.map(({ feeds }) => feeds[name]!);
      const data = new Float32Array(parts.reduce((sum, tensor) => sum + tensor.data.length, 0));
      let at = 0;
      for (const tensor of parts) {
        data.set(tensor.data as Float32Array, at);
        at += tensor.data.length;
      }
      const rows = parts.reduce((sum, tensor) => sum + (tensor.dims[0] ?? 1), 0);
      return [name, new Tensor(data, [rows, ...dims.slice(1)])];
    }),
  );
}
