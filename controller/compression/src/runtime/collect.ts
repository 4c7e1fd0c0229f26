import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

/** Twice what Node, the runtime and this library take before they have done anything. */
const SMALL_BYTES = 256_000_000;

/**
 * Frees what nobody holds any more. Tensors lie outside of V8's heap, which therefore sees little reason to collect:
 * without this, each step of a build would find the tensors of the one before still in memory. Takes some milliseconds, on
 * all cores; a process that is small does not do it.
 */
export function collectGarbage(): void {
  if (process.memoryUsage.rss() > SMALL_BYTES) collect();
}

/**
 * Frees what was made since the last time and is held no more; takes a fraction of a millisecond. Left to V8, outputs of
 * a few bytes of past runs lie between the runtime's freed blocks, and its memory grows by all its inner tensors a run:
 * measured, 680 MB after 40 runs of a net that needs 205 MB.
 */
export const collectYoung = (): void => collect({ type: 'minor' });
