/** Gives back what a burst has left in the sessions' arenas: they are opened again when the device is idle or short of memory. */

import { readIfThere } from '../common/files.js';
import type { Log } from '../common/log.js';
import type { Serving } from './serving.js';

export interface MemoryState {
  readonly rssBytes: number;
  /** What the process held when the model had just been warmed up. */
  readonly baselineBytes: number;
  /** Per cent of the last ten seconds in which some task waited for memory [PSI]; null on kernels without it. */
  readonly pressure: number | null;
  readonly idle: boolean;
  /** Milliseconds since the sessions were opened. */
  readonly ageMs: number;
}

const GROWN_BYTES = 64 * 1024 * 1024;
const PRESSED_BYTES = 16 * 1024 * 1024;
const PRESSED_PERCENT = 10;
const YOUNGEST_MS = 60_000;

/** Pure: whether opening the sessions again is worth it. Never under requests: it takes a second session for a moment. */
export function wantsRecycle({ rssBytes, baselineBytes, pressure, idle, ageMs }: MemoryState): boolean {
  if (!idle || ageMs < YOUNGEST_MS) return false;
  const grown = rssBytes - baselineBytes;
  return grown > ((pressure ?? 0) > PRESSED_PERCENT ? PRESSED_BYTES : GROWN_BYTES);
}

const pressureOf = (text: string | null): number | null => {
  const found = /^some .*avg10=([\d.]+)/m.exec(text ?? '')?.[1];
  return found === undefined ? null : Number(found);
};

const CHECK_MS = 10_000;

/** Looks every ten seconds; returns what ends it. */
export function keepMemory(serving: Serving, log: Log, now: () => number): () => void {
  let since = { pool: serving.served?.pool ?? null, atMs: now(), baselineBytes: process.memoryUsage.rss() };
  const check = async (): Promise<void> => {
    const pool = serving.served?.pool ?? null;
    const rssBytes = process.memoryUsage.rss();
    if (pool !== since.pool) since = { pool, atMs: now(), baselineBytes: rssBytes };
    if (!pool) return;
    const pressure = pressureOf(readIfThere('/proc/pressure/memory'));
    const state = {
      rssBytes,
      baselineBytes: since.baselineBytes,
      pressure,
      idle: pool.idle,
      ageMs: now() - since.atMs,
    };
    if (!wantsRecycle(state)) return;
    await pool.recycle();
    since = { pool, atMs: now(), baselineBytes: process.memoryUsage.rss() };
    log.info(
      { beforeBytes: rssBytes, afterBytes: since.baselineBytes },
      'the sessions were opened again to free memory',
    );
  };
  const timer = setInterval(() => {
    check().catch((error: Error) => log.warn({ error: error.message }, 'the sessions could not be opened again'));
  }, CHECK_MS).unref();
  return () => clearInterval(timer);
}
