/** One inference as the pool sees it, and the running of several as one batch on a worker. */
import { InferenceFailed, RegionUnknown, RequestInvalid } from '../errors.js';
import type { Queued } from './batching/request-queue.js';
import { sliceRows } from './layout.js';
import { gather, type SlabPool, scatter } from './slabs.js';
import { fromRaw, type InputTensors, type RawTensors, toRaw } from './values.js';
import type { Seat } from './worker-set.js';

/** What came of an inference. */
export interface InferenceResult {
  readonly outputs: RawTensors;
  /** Says that the outputs were read: their memory is used again. Forgetting it costs memory, nothing else. */
  release(): void;
  /** Rows that ran together, and milliseconds from arrival to the run and of the run itself. */
  readonly batch: number;
  readonly queueMs: number;
  readonly runMs: number;
}

export interface Pending extends Queued {
  readonly feeds: InputTensors;
  resolve(result: InferenceResult): void;
  reject(error: Error): void;
}

export interface BatchParts {
  readonly slabs: SlabPool | null;
  readonly largest: number;
  readonly now: () => number;
  /** For how long the main thread looks for the answer by itself; see look-out.ts. */
  readonly lookMs: number;
}

/** Errors that the request itself may have brought; the worker is well. */
const isOfOneRequest = (error: unknown): boolean =>
  InferenceFailed.is(error) || RequestInvalid.is(error) || RegionUnknown.is(error);

const nothing = (): void => undefined;
type Outputs = (at: number, rows: number) => { readonly outputs: RawTensors; release(): void };

/** Runs requests side by side in a slab. The outputs are views of it, released one by one. */
async function runInSlab(seat: Seat, requests: readonly Pending[], slabs: SlabPool, lookMs: number): Promise<Outputs> {
  const rows = requests.reduce((sum, request) => sum + request.rows, 0);
  const slab = slabs.take(rows);
  let readers = requests.length;
  try {
    let at = 0;
    for (const request of requests) {
      scatter(slab, slabs.layout, request.feeds, at);
      at += request.rows;
    }
    const fresh = await seat.worker.batch(slab, slabs.layout, rows, lookMs);
    if (fresh) {
      slabs.give(slab);
      if (Object.values(fresh).some(({ shape }) => shape[0] !== rows && requests.length > 1))
        throw InferenceFailed({ cause: 'an output has another number of rows than the batch' });
      return (from, count) => ({
        outputs: toRaw(requests.length === 1 ? fresh : sliceRows(fresh, from, from + count)),
        release: nothing,
      });
    }
  } catch (error) {
    // A slab of a worker that is gone may still be written to: it is left to the garbage collector.
    if (isOfOneRequest(error)) slabs.give(slab);
    else slabs.lose();
    throw error;
  }
  const release = (): void => {
    if (--readers === 0) slabs.give(slab);
  };
  return (from, count) => ({ outputs: gather(slab, slabs.layout.outputs ?? [], from, count), release: once(release) });
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}

/** Runs requests as one batch and answers each; a batch that fails is run again one by one, to fail only who must. */
export async function runBatch(seat: Seat, requests: readonly Pending[], parts: BatchParts): Promise<void> {
  const startMs = parts.now();
  const rows = requests.reduce((sum, request) => sum + request.rows, 0);
  try {
    const outputs: Outputs =
      parts.slabs && rows <= parts.largest
        ? await runInSlab(seat, requests, parts.slabs, parts.lookMs)
        : await runAlone(seat, requests[0]!);
    const runMs = parts.now() - startMs;
    let at = 0;
    for (const request of requests) {
      const queueMs = Math.max(0, startMs - request.arrivedMs);
      request.resolve({ ...outputs(at, request.rows), batch: rows, queueMs, runMs });
      at += request.rows;
    }
  } catch (error) {
    if (requests.length === 1 || !isOfOneRequest(error)) for (const request of requests) request.reject(error as Error);
    else for (const request of requests) await runBatch(seat, [request], parts);
  }
}

async function runAlone(seat: Seat, { feeds }: Pending): Promise<Outputs> {
  const outputs = toRaw(await seat.worker.run(fromRaw(feeds)));
  return () => ({ outputs, release: nothing });
}
