/** Short measurements of workers as they serve under load. */
import { quantile } from '../benchmark.js';
import type { ModelWorker } from '../model-worker.js';
import type { Tensors } from '../protocol.js';
import type { WorkerSet } from '../worker-set.js';

export const WINDOW_MS = 150;
export const FEWEST_RUNS = 2;
/** Runs that a worker has at hand, as when it serves under load. */
const IN_HAND = 2;

export interface Window {
  readonly ms: number;
  readonly rowsPerS: number;
}

/**
 * All workers run the same batch again and again: what one run takes then, and what they do together. Every run gets its
 * inputs from this thread, whose copying stands for what it does while it serves: a setup that leaves it no CPU looks
 * better alone than it is. On two busy cores one worker of two threads was ahead of two of one by itself, and 19% behind
 * over HTTP.
 */
export async function window(workers: WorkerSet, feeds: Tensors, size: number, now: () => number): Promise<Window> {
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

const middle = (values: readonly number[]): number => quantile(values, 0.5);

export const median = (windows: readonly Window[]): Window => ({
  ms: middle(windows.map(({ ms }) => ms)),
  rowsPerS: middle(windows.map(({ rowsPerS }) => rowsPerS)),
});
