/** What a pool has learnt of its model on this device: the curve, the batch sizes in use, the best of them, the arrivals. */
import { LatencyCurve, optimalBatch } from './batching/latency-curve.js';
import type { DispatchLimits } from './batching/next-dispatch.js';
import type { ServingPlan } from './serving-plan.js';

const NO_LIMIT_MS = 1e9;
/** Where a run is shorter than this, a worker is given its next one before it has finished, however small. */
const HAND_OVER_MS = 4;
const RATE_MEMORY = 0.05;
const RELEARN_RUNS = 32;

export class Pace {
  /** Null until the first run has ended. */
  curve: LatencyCurve | null = null;
  rungs: readonly number[] = [1];
  optimal = 1;
  plan: ServingPlan | null = null;
  #runs = 0;
  #lastArrivalMs = Number.NaN;
  #gapMs = Number.POSITIVE_INFINITY;

  constructor(private readonly latencyLimitMs: number | null) {}

  get largest(): number {
    return this.rungs.at(-1)!;
  }

  adopt(plan: ServingPlan): void {
    this.plan = plan;
    this.curve = new LatencyCurve(new Map(plan.curve));
    this.rungs = this.curve.sizes;
    this.#choose(this.curve);
  }

  /** Serves as the model came: what was learnt was of another runtime. */
  forget(): void {
    this.plan = this.curve = null;
    this.rungs = [1];
    this.optimal = 1;
  }

  /** Learns from one run of so many rows. */
  record(rows: number, ms: number): void {
    if (!this.curve) this.curve = new LatencyCurve(new Map([[1, ms / rows]]));
    else this.curve.record(rows, ms);
    if (++this.#runs % RELEARN_RUNS === 0) this.#choose(this.curve);
  }

  /** Notes that so many rows came now. */
  arrived(nowMs: number, rows: number): void {
    const gapMs = (nowMs - this.#lastArrivalMs) / rows;
    this.#lastArrivalMs = nowMs;
    if (!(gapMs >= 0)) return;
    this.#gapMs = Number.isFinite(this.#gapMs) ? this.#gapMs + RATE_MEMORY * (gapMs - this.#gapMs) : gapMs;
  }

  get limits(): DispatchLimits {
    return { rungs: this.rungs, optimal: this.optimal, arrivalRate: 1 / this.#gapMs };
  }

  /**
   * Runs that a worker is given at once. With the next one in hand it does not wait for the main thread, which may be busy
   * with sockets; but a batch that is given away early can grow no more, so that only a full one is, or a short one.
   */
  depth(queuedRows: number): number {
    if (!this.curve) return 1;
    return queuedRows >= this.optimal || this.curve.latencyMs(this.optimal) < HAND_OVER_MS ? 2 : 1;
  }

  #choose(curve: LatencyCurve): void {
    this.optimal = optimalBatch(curve, this.latencyLimitMs ?? NO_LIMIT_MS);
  }
}
