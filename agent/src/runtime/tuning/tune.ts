/** Finds out by measuring how a model runs best on this device: runtime, workers, threads, spinning, batch sizes. */
import { CodedError } from '@espalier/proto';
import { LatencyCurve, optimalBatch } from '../batching/latency-curve.js';
import { quantile } from '../benchmark.js';
import { openWorkers } from '../crew.js';
import { type BatchLayout, layoutOf } from '../layout.js';
import type { ModelPool } from '../model-pool.js';
import { probeFeeds } from '../probe-feeds.js';
import type { ServingPlan, Setup } from '../serving-plan.js';
import type { WorkerSet } from '../worker-set.js';
import { admit, type Check } from './admit.js';
import { choose, compare, type Measured, withRuntime } from './candidates.js';
import { proveBatching, sameAnswer } from './prove-batching.js';
import { FEWEST_RUNS, median, WINDOW_MS, type Window, window } from './windows.js';

export interface TuneLimits {
  readonly setups: readonly Setup[];
  readonly largestBatch: number;
  /** The whole search, milliseconds of measuring; what was found until then counts. */
  readonly limitMs: number;
  /** Resolves when nothing else is to be done: measuring comes after requests. Rejects when the search shall end. */
  readonly quiet: () => Promise<void>;
  readonly check: Check;
  /** Runtimes that failed here before, by adapter, with the reason; those that fail in this search are added. */
  readonly refused: Record<string, string>;
}

const ROUNDS = 3;
/** A batch that takes longer is none that anyone waits for. */
const SLOWEST_BATCH_MS = 2000;
const NO_LIMIT_MS = 1e9;

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
 * more than one setup is in memory beside what serves: those of ONNX Runtime, which serves meanwhile, and those of every other
 * runtime that computes the same. Null when the model's inputs have no fixed size to measure with.
 */
export async function tune(pool: ModelPool, limits: TuneLimits): Promise<ServingPlan | null> {
  const { settings } = pool;
  const layout = layoutOf(pool.inputs, pool.outputs);
  if (!layout) return null;
  await limits.quiet();
  const others = await admit(pool, limits.check, limits.refused);
  const startedMs = settings.now();
  const sizes = await worthwhile(pool, await proveBatching(pool, limits.largestBatch, SLOWEST_BATCH_MS));
  const compared = [...new Set([1, sizes[Math.floor(sizes.length / 2)]!, sizes.at(-1)!])];
  const setups = [...limits.setups, ...others.flatMap((adapter) => withRuntime(limits.setups, adapter))];
  const samples: Samples = new Map(setups.map((setup) => [setup, new Map()]));
  const isOver = (): boolean => settings.now() - startedMs > limits.limitMs;
  for (let round = 0; round < ROUNDS && !(round > 0 && isOver()); round++) {
    for (const [setup, found] of samples) {
      if (isOver() && found.size > 0) break;
      const isDone = await orRefuse(setup, limits.refused, async () => {
        const workers = await openFor(pool, setup);
        try {
          // Another runtime's file has one batch size.
          for (const size of setup.runtime === undefined ? compared : [1]) {
            await limits.quiet();
            const feeds = probeFeeds(layout, 0, size);
            found.set(size, [...(found.get(size) ?? []), await window(workers, feeds, size, settings.now)]);
          }
        } finally {
          await workers.close();
        }
        return true;
      });
      if (!isDone) for (const one of setups.filter(({ runtime }) => runtime === setup.runtime)) samples.delete(one);
    }
  }
  return planFrom(pool, measuredOf(samples), sizes, limits);
}

const openFor = ({ file, others, options, settings }: ModelPool, setup: Setup): Promise<WorkerSet> =>
  openWorkers({ file, others, options, ...settings }, { ...setup, curve: [] });

/** What fails with another runtime rules that out, and the search goes on; null then. */
async function orRefuse<T>(
  { runtime }: Setup,
  refused: Record<string, string>,
  measure: () => Promise<T>,
): Promise<T | null> {
  try {
    return await measure();
  } catch (error) {
    if (runtime === undefined || !(error instanceof CodedError)) throw error;
    refused[runtime] = error.message;
    return null;
  }
}

/** The best setup as a plan; of another runtime with the best one of ONNX Runtime in reserve. */
async function planFrom(
  pool: ModelPool,
  measured: readonly Measured[],
  sizes: readonly number[],
  limits: TuneLimits,
): Promise<ServingPlan | null> {
  const limitMs = pool.settings.latencyLimitMs ?? NO_LIMIT_MS;
  const { refused } = limits;
  const best = choose(measured, limitMs);
  const plain = choose(
    measured.filter(({ runtime }) => runtime === undefined),
    limitMs,
  );
  const curve = await curveOf(pool, plain, sizes, limits);
  if (!curve) return null;
  const isAlone = pool.others.length === 0;
  const told = isAlone ? {} : { compared: compare(measured, limitMs), refused: { ...refused } };
  const otherwise = { ...setupOf(plain), curve, ...told };
  if (best.runtime === undefined) return otherwise;
  const other = await orRefuse(best, refused, () => curveOf(pool, best, [1], limits));
  if (!other) return { ...otherwise, refused: { [best.runtime]: 'it computes something else', ...refused } };
  return { ...setupOf(best), curve: other, ...told, otherwise };
}

const setupOf = ({ workers, threads, spin, runtime }: Setup): Setup => ({
  ...{ workers, threads, spin },
  ...(runtime === undefined ? {} : { runtime }),
});

/** The latency of every batch size while all workers of a setup run it; null when the setup computes something else. */
async function curveOf(
  pool: ModelPool,
  setup: Setup,
  sizes: readonly number[],
  { quiet, check }: TuneLimits,
): Promise<ServingPlan['curve'] | null> {
  const { settings, inputs, outputs } = pool;
  const layout = layoutOf(inputs, outputs)!;
  const workers = await openFor(pool, setup);
  const [{ worker }] = workers.seats as [WorkerSet['seats'][number]];
  const isRight = async (): Promise<boolean> => {
    // Another runtime rounds differently: what it may is said with the golden cases.
    if (setup.runtime !== undefined) return (await check(worker, setup.runtime)) === null;
    const one = probeFeeds(layout, 0, 1);
    const wanted = await pool.borrow((serving) => serving.run(one));
    return sameAnswer(wanted, await worker.run(one));
  };
  try {
    if (!(await isRight())) return null;
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
