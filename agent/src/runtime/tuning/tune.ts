/** Finds out by measuring how a model runs best on this device: workers, threads, spinning, batch sizes. */

import { LatencyCurve, optimalBatch } from '../batching/latency-curve.js';
import { quantile } from '../benchmark.js';
import { openWorkers } from '../crew.js';
import { type BatchLayout, layoutOf } from '../layout.js';
import type { ModelPool } from '../model-pool.js';
import type { ModelWorker } from '../model-worker.js';
import { probeFeeds } from '../probe-feeds.js';
import type { Tensors } from '../protocol.js';
import type { ServingPlan } from '../serving-plan.js';
import type { WorkerSet } from '../worker-set.js';
import { choose, type Measured, type Setup } from './candidates.js';
import { proveBatching, sameAnswer } from './prove-batching.js';

export interface TuneLimits {
  readonly setups: readonly Setup[];
  readonly largestBatch: number;
  /** The whole search, milliseconds of measuring; what was found until then counts. */
  readonly limitMs: number;
  /** Resolves when nothing else is to be done: measuring comes after requests. Rejects when the search shall end. */
  readonly quiet: () => Promise<void>;
}

const ROUNDS = 3;
const WINDOW_MS = 150;
const FEWEST_RUNS = 2;
/** A batch that takes longer is none that anyone waits for. */
const SLOWEST_BATCH_MS = 2000;
const NO_LIMIT_MS = 1e9;

interface Window {
  readonly ms: number;
  readonly rowsPerS: number;
}

/** Runs that a worker has at hand, as when it serves under load. */
const IN_HAND = 2;

/**
 * All workers run the same batch again and again: what one run takes then, and what they do together. Every run gets its
 * inputs from this thread, whose copying stands for what it does while it serves: a setup that leaves it no CPU looks
 * better alone than it is. On two busy cores one worker of two threads was ahead of two of one by itself, and 19% behind
 * over HTTP.
 */
async function window(workers: WorkerSet, feeds: Tensors, size: number, now: () => number): Promise<Window> {
  const startMs = now();
  const times: number[] = [];
  const lane = async (worker: ModelWorker): Promise<void> => {
    for (let runs = 0; runs < FEWEST_RUNS || now() - startMs < WINDOW_MS; runs++)
      times.push(...(await worker.measure(feeds, 1, 0)));
  };
  const lanes = workers.seats.flatMap(({ worker }) => Array.from({ length: IN_HAND }, () => lane(worker)));
  await Promise.all(lanes);
  return { ms: quantile(times, 0.5), rowsPerS: (1000 * size * times.length) / (now() - startMs) };
}

const median = (windows: readonly Window[]): Window => ({
  ms: quantile(
    windows.map(({ ms }) => ms),
    0.5,
  ),
  rowsPerS: quantile(
    windows.map(({ rowsPerS }) => rowsPerS),
    0.5,
  ),
});

/** Every batch size once on the workers of one setup. */
export async function measureSetup(
  workers: WorkerSet,
  layout: BatchLayout,
  sizes: readonly number[],
  now: () => number,
): Promise<Map<number, Window>> {
  const found = new Map<number, Window>();
  for (const size of sizes) found.set(size, await window(workers, probeFeeds(layout, 0, size), size, now));
  return found;
}

type Samples = Map<Setup, Map<number, Window[]>>;

const measuredOf = (samples: Samples): Measured[] =>
  [...samples]
    .filter(([, sizes]) => sizes.size > 0)
    .map(([setup, sizes]) => ({
      ...setup,
      sizes: new Map([...sizes].map(([size, windows]) => [size, median(windows)])),
    }));

/** Batch sizes that the search compares: one, and the best and the largest that gain something on a single worker. */
async function worthwhile(pool: ModelPool, proven: readonly number[]): Promise<number[]> {
  const layout = layoutOf(pool.inputs, pool.outputs)!;
  const times = new Map<number, number>();
  for (const size of proven) {
    const feeds = probeFeeds(layout, 0, size);
    times.set(size, quantile(await pool.borrow((worker) => worker.measure(feeds, FEWEST_RUNS, WINDOW_MS / 3)), 0.5));
  }
  const best = optimalBatch(new LatencyCurve(times), NO_LIMIT_MS);
  return proven.filter((size) => size <= best);
}

/**
 * Proves batching, then measures setups in interleaved rounds, each on workers of its own that are closed again, so that no
 * more than one setup is in memory beside what serves. Null when the model's inputs have no fixed size to measure with.
 */
export async function tune(pool: ModelPool, limits: TuneLimits): Promise<ServingPlan | null> {
  const { file, options, settings } = pool;
  const layout = layoutOf(pool.inputs, pool.outputs);
  if (!layout) return null;
  const startedMs = settings.now();
  const isOver = (): boolean => settings.now() - startedMs > limits.limitMs;
  await limits.quiet();
  const sizes = await worthwhile(pool, await proveBatching(pool, limits.largestBatch, SLOWEST_BATCH_MS));
  const compared = [...new Set([1, sizes[Math.floor(sizes.length / 2)]!, sizes.at(-1)!])];
  const samples: Samples = new Map(limits.setups.map((setup) => [setup, new Map()]));
  for (let round = 0; round < ROUNDS && !(round > 0 && isOver()); round++) {
    for (const [setup, found] of samples) {
      if (isOver() && found.size > 0) break;
      const workers = await openWorkers({ file, options, ...settings }, { ...setup, curve: [] });
      try {
        for (const size of compared) {
          await limits.quiet();
          const feeds = probeFeeds(layout, 0, size);
          found.set(size, [...(found.get(size) ?? []), await window(workers, feeds, size, settings.now)]);
        }
      } finally {
        await workers.close();
      }
    }
  }
  const { workers, threads, spin } = choose(measuredOf(samples), settings.latencyLimitMs ?? NO_LIMIT_MS);
  const setup = { workers, threads, spin };
  const curve = await curveOf(pool, setup, sizes, limits.quiet);
  return curve && { ...setup, curve };
}

/** The latency of every batch size while all workers of a setup run it; null when the setup computes something else. */
async function curveOf(
  pool: ModelPool,
  setup: Setup,
  sizes: readonly number[],
  quiet: () => Promise<void>,
): Promise<ServingPlan['curve'] | null> {
  const { file, options, settings, inputs, outputs } = pool;
  const layout = layoutOf(inputs, outputs)!;
  const workers = await openWorkers({ file, options, ...settings }, { ...setup, curve: [] });
  try {
    const one = probeFeeds(layout, 0, 1);
    const wanted = await pool.borrow((worker) => worker.run(one));
    if (!sameAnswer(wanted, await workers.seats[0]!.worker.run(one))) return null;
    const curve: [number, number][] = [];
    for (const size of sizes) {
      await quiet();
      const measured = await measureSetup(workers, layout, [size], settings.now);
      curve.push([size, measured.get(size)!.ms]);
    }
    return curve;
  } finally {
    await workers.close();
  }
}
