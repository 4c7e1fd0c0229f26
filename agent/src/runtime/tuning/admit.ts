/** Which runtimes beside ONNX Runtime are measured for a model: those that open it and answer its golden cases. */
import { openWorkers } from '../crew.js';
import type { Answering } from '../golden.js';
import type { ModelPool } from '../model-pool.js';

/** What is wrong with the answers of a runtime, in words, or null. */
export type Check = (model: Answering, adapter: string) => Promise<string | null>;

/** Adds runtimes that will not do to `refused`, with the reason. @returns adapters of the others */
export async function admit(
  { file, options, others, settings }: ModelPool,
  check: Check,
  refused: Record<string, string>,
): Promise<string[]> {
  const admitted: string[] = [];
  for (const { adapter } of others) {
    if (refused[adapter] !== undefined) continue;
    const setup = { workers: 1, threads: 1, spin: false, runtime: adapter, curve: [] };
    const cause = await openWorkers({ file, others, options, ...settings }, setup)
      .then((workers) => check(workers.seats[0]!.worker, adapter).finally(() => workers.close()))
      .catch((error: Error) => error.message);
    if (cause === null) admitted.push(adapter);
    else refused[adapter] = cause;
  }
  return admitted;
}
