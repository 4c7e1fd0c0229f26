/**
 * What a batch costs on this device, learnt from the runs themselves. Each rung of the ladder has a moving mean and a p90;
 * one drift factor k carries what slows all of them alike (heat, other programs). Times are milliseconds.
 *
 * The two are kept apart: what the rungs in use have in common belongs to k, only the rest changes the curve's shape.
 * Without that a device that throttles would slowly take its slow latencies for normal.
 */

const STEPS = [1, 2, 4, 8, 16] as const;

/** Batch sizes worth knowing up to the largest one allowed: 1, 2, 4, 8, 16 and the largest. */
export const ladder = (largest: number): number[] => [...STEPS.filter((step) => step < largest), Math.max(1, largest)];

const DRIFT_UP = 0.15;
const DRIFT_DOWN = 0.05;
/** One run that was interrupted says little of the next: it is believed up to so many times the drift. */
const ONE_RUN = 1.3;
const SHAPE_RATE = 0.05;
const USE_DECAY = 0.97;
const RECENT = 32;

interface Rung {
  readonly size: number;
  meanMs: number;
  samples: number;
  /** How much of the recent work ran at this size; decides whose change counts as drift. */
  use: number;
  /** Latest latencies as multiples of mean times k, in a ring. */
  readonly recent: number[];
}

const interpolate = (at: number, a: Rung, b: Rung): number =>
  a.meanMs + ((at - a.size) / (b.size - a.size)) * (b.meanMs - a.meanMs);

export class LatencyCurve {
  readonly #rungs: Rung[] = [];
  #drift = 1;

  /** @param measured milliseconds a run of each batch size took, unloaded; batch 1 at least */
  constructor(measured: ReadonlyMap<number, number>) {
    for (const [size, meanMs] of [...measured].sort(([a], [b]) => a - b))
      this.#rungs.push({ size, meanMs: Math.max(1e-4, meanMs), samples: 1, use: 0, recent: [] });
    if (this.#rungs.length === 0) throw new RangeError('a latency curve needs one measured batch size');
  }

  /** How much slower than the curve the device is now; the sign of throttling. */
  get drift(): number {
    return this.#drift;
  }

  get sizes(): number[] {
    return this.#rungs.map(({ size }) => size);
  }

  /** Expected milliseconds of a run of `rows` rows now. Past the last rung: no gain from batching is assumed. */
  latencyMs(rows: number): number {
    return this.#meanMs(rows) * this.#drift;
  }

  /** The 90th percentile of a rung's recent runs, milliseconds; the mean where nothing ran yet. */
  p90Ms(rows: number): number {
    const rung = this.#rungs.findLast(({ size }) => size <= rows) ?? this.#rungs[0]!;
    const sorted = rung.recent.toSorted((a, b) => a - b);
    return this.latencyMs(rows) * (sorted[Math.floor(sorted.length * 0.9)] ?? 1);
  }

  /** Rows a millisecond at this batch size. */
  throughput(rows: number): number {
    return rows / this.latencyMs(rows);
  }

  /** Learns from one run. */
  record(rows: number, ms: number): void {
    const ratio = ms / this.#meanMs(rows);
    const believed = Math.min(ratio, ONE_RUN * this.#drift);
    this.#drift += (ratio > this.#drift ? DRIFT_UP : DRIFT_DOWN) * (believed - this.#drift);
    const rung = this.#rungs.find(({ size }) => size === rows);
    if (!rung) return;
    for (const other of this.#rungs) other.use *= USE_DECAY;
    rung.use += 1 - USE_DECAY;
    rung.recent[rung.samples++ % RECENT] = ratio / this.#drift;
    this.#reshape(rung, ratio / this.#drift);
  }

  /** Takes the drift of now for normal: after a new choice of workers and threads, or a lasting change. */
  rebase(): void {
    for (const rung of this.#rungs) rung.meanMs *= this.#drift;
    this.#drift = 1;
  }

  /** Moves one rung against the others in use; their weighted sum stays, for what they share is k's. */
  #reshape(rung: Rung, residual: number): void {
    const step = SHAPE_RATE * Math.max(-0.5, Math.min(0.5, residual - 1));
    const total = this.#rungs.reduce((sum, { use }) => sum + use, 0);
    for (const other of this.#rungs) {
      const share = other.use / total;
      other.meanMs *= 1 + step * (other === rung ? 1 - share : -share);
    }
  }

  #meanMs(rows: number): number {
    const above = this.#rungs.findIndex(({ size }) => size >= rows);
    const last = this.#rungs.at(-1)!;
    if (above === -1) return (last.meanMs * rows) / last.size;
    const upper = this.#rungs[above]!;
    const lower = this.#rungs[above - 1];
    return upper.size === rows || !lower ? upper.meanMs : interpolate(rows, lower, upper);
  }
}

const NEARLY_BEST = 0.95;

/** The smallest rung within 5% of the best throughput that takes at most half of what a request may take. */
export function optimalBatch(curve: LatencyCurve, limitMs: number): number {
  const allowed = curve.sizes.filter((size) => size === 1 || curve.latencyMs(size) <= limitMs / 2);
  const best = Math.max(...allowed.map((size) => curve.throughput(size)));
  return allowed.find((size) => curve.throughput(size) >= NEARLY_BEST * best) ?? 1;
}
