/**
 * Whether a model may be run in batches here. A signature can say that the first axis varies and the rows still touch each
 * other (one scale for the whole batch, a reshape that mixes them): so it is tried, row against row.
 */

import { ladder } from '../batching/latency-curve.js';
import { claimsBatchAxis, layoutOf, sliceRows } from '../layout.js';
import type { ModelPool } from '../model-pool.js';
import { probeFeeds } from '../probe-feeds.js';
import type { Tensors } from '../protocol.js';

/** Differences below these are arithmetic in another order, not another answer. */
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-6;
/** True when two answers are the same but for rounding. */
export function sameAnswer(wanted: Tensors, found: Tensors): boolean {
  return Object.entries(wanted).every(([name, { data }]) => {
    const other = found[name]?.data;
    if (other?.length !== data.length) return false;
    const values = Array.from(data, Number);
    const largest = values.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    const allowed = RELATIVE * largest + ABSOLUTE;
    return values.every(
      (value, at) => Object.is(value, Number(other[at])) || Math.abs(value - Number(other[at])) <= allowed,
    );
  });
}

/** Batch sizes up to `largest` for which every row gets what it gets alone; [1] when the model takes no batches. */
export async function proveBatching(pool: ModelPool, largest: number, slowestMs: number): Promise<number[]> {
  const { inputs, outputs } = pool;
  const layout = layoutOf(inputs, outputs);
  if (!layout || !claimsBatchAxis(inputs, outputs)) return [1];
  const alone: Tensors[] = [];
  const proven = [1];
  for (const size of ladder(largest).slice(1)) {
    while (alone.length < size) {
      const feeds = probeFeeds(layout, alone.length, 1);
      alone.push(await pool.borrow((worker) => worker.run(feeds)));
    }
    const feeds = probeFeeds(layout, 0, size);
    const fromMs = pool.settings.now();
    const together = await pool.borrow((worker) => worker.run(feeds)).catch(() => null);
    const hasRows = together && Object.values(together).every(({ shape }) => shape[0] === size);
    if (!hasRows || !alone.slice(0, size).every((row, at) => sameAnswer(row, sliceRows(together, at, at + 1)))) break;
    if (pool.settings.now() - fromMs > slowestMs) break;
    proven.push(size);
  }
  return proven;
}
