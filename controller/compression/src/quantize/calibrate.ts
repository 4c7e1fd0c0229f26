import type { TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { Session } from '../runtime/session.js';
import { Observer } from './observer.js';

export interface CalibrationOptions {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** Floats of one batch that all observed tensors of a model may hold together. */
const BATCH_FLOATS_MAX = 200_000;

/** Samples that are run at once: many small ones, few large ones, so that memory stays flat. */
export function calibrationBatch(inputs: readonly TensorSpec[]): number {
  const floats = inputs.reduce(
    (sum, { shape }) => sum + shape.slice(1).reduce<number>((n, dim) => n * (typeof dim === 'number' ? dim : 1), 1),
    0,
  );
  return Math.max(1, Math.min(16, Math.floor(BATCH_FLOATS_MAX / Math.max(1, floats))));
}

/**
 * Runs the float graph over the data, twice, and watches the given values: first their extremes, then histograms
 * between them. Memory does not grow with the number of samples.
 */
export async function observe(
  graph: Graph,
  values: Iterable<string>,
  options: CalibrationOptions,
): Promise<Map<string, Observer>> {
  const observers = new Map([...values].map((value) => [value, new Observer()]));
  const fed = new Set(graph.inputs.map((input) => input.name));
  const inner = [...observers.keys()].filter((value) => !fed.has(value));
  const session = await Session.open(encodeModel(cloneGraph(graph, inner)), 'the calibration graph');
  const n = Math.min(options.data.n, options.feeding.limit ?? options.data.n);
  try {
    for (const pass of ['see', 'count'] as const) {
      for await (const batch of batches(options.data, options.feeding)) {
        const outputs = await session.run(batch.feeds);
        for (const [value, observer] of observers) {
          const tensor = outputs[value] ?? batch.feeds[value];
          if (tensor?.data instanceof Float32Array) observer[pass](tensor.data);
        }
        const done = (batch.start + batch.size) / n / 2;
        options.onProgress?.(pass === 'see' ? done : done + 0.5);
      }
    }
  } finally {
    await session.dispose();
  }
  return observers;
}
