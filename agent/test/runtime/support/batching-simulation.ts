/** One server under a virtual clock: Poisson arrivals, a curve of batch latencies, a policy; per cent answered in time. */
import { admit } from '@espalier/agent/runtime/batching/admission';
import { LatencyCurve, optimalBatch } from '@espalier/agent/runtime/batching/latency-curve';
import { nextDispatch, type Waiting } from '@espalier/agent/runtime/batching/next-dispatch';

/** Milliseconds by batch size: one network that gains nothing from batches, one that gains much (as measured). */
export const CNN: Readonly<Record<number, number>> = { 1: 10, 2: 19.6, 4: 39, 8: 79, 16: 160 };
export const MLP: Readonly<Record<number, number>> = { 1: 10, 2: 11.4, 4: 13.1, 8: 19, 16: 28.3 };

export const curveOf = (latency: Readonly<Record<number, number>>): LatencyCurve =>
  new LatencyCurve(new Map(Object.entries(latency).map(([size, ms]) => [Number(size), ms])));

/** Uniform numbers in [0, 1) that a seed repeats [mulberry32]. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface View {
  readonly queue: readonly Waiting[];
  readonly nowMs: number;
  readonly curve: LatencyCurve;
  readonly sloMs: number;
  /** Since the server became free. */
  readonly arrivalRate: number;
}
type Policy = (view: View) => { drop: readonly Waiting[]; take: readonly Waiting[]; waitUntilMs: number | null };

export const policies: Readonly<Record<'greedy' | 'fixed' | 'rule', Policy>> = {
  greedy: ({ queue }) => ({ drop: [], take: queue.slice(0, 16), waitUntilMs: null }),
  fixed: ({ queue, nowMs, sloMs }) => {
    const firstMs = (queue[0]?.deadlineMs ?? 0) - sloMs;
    return queue.length >= 16 || nowMs >= firstMs + 5 - 1e-9
      ? { drop: [], take: queue.slice(0, 16), waitUntilMs: null }
      : { drop: [], take: [], waitUntilMs: firstMs + 5 };
  },
  rule: ({ queue, nowMs, curve, sloMs, arrivalRate }) =>
    nextDispatch(queue, curve, nowMs, {
      rungs: curve.sizes,
      optimal: optimalBatch(curve, sloMs),
      arrivalRate,
    }),
};

export interface SimulatedLoad {
  readonly latency: Readonly<Record<number, number>>;
  /** Offered rate over the throughput of the optimal batch. */
  readonly share: number;
  /** The real device is so much slower than the curve says at first. */
  readonly throttle?: number;
  readonly bursty?: boolean;
  readonly seed: number;
}

export function simulate(
  policy: Policy,
  { latency, share, throttle = 1, bursty = false, seed }: SimulatedLoad,
): number {
  const random = seeded(seed);
  const truth = curveOf(latency);
  const curve = curveOf(latency);
  const sloMs = 4 * latency[1]!;
  const optimal = optimalBatch(truth, sloMs);
  const rate = share * truth.throughput(optimal);
  const arrivals: number[] = [];
  for (let at = 0; arrivals.length < 6000; ) {
    const factor = bursty ? (Math.floor(at / 200) % 4 === 0 ? 2.8 : 0.4) : 1;
    at += -Math.log(1 - random()) / (rate * factor);
    arrivals.push(at);
  }
  let queue: Waiting[] = [];
  let next = 0;
  let inTime = 0;
  for (let nowMs = 0; next < arrivals.length || queue.length > 0; ) {
    if (queue.length === 0) nowMs = Math.max(nowMs, arrivals[next]!);
    while (next < arrivals.length && arrivals[next]! <= nowMs) {
      const request = { rows: 1, deadlineMs: arrivals[next++]! + sloMs };
      const load = { backlogRows: queue.length, workers: 1, optimal };
      if (policy !== policies.rule || admit(request, curve, load, nowMs).ok) queue.push(request);
    }
    const { drop, take, waitUntilMs } = policy({ queue, nowMs, curve, sloMs, arrivalRate: rate });
    const gone = new Set([...drop, ...take]);
    queue = queue.filter((request) => !gone.has(request));
    if (take.length > 0) {
      const tookMs = truth.latencyMs(take.length) * throttle * (0.97 + 0.06 * random());
      nowMs += tookMs;
      curve.record(take.length, tookMs);
      inTime += take.filter(({ deadlineMs }) => nowMs <= deadlineMs).length;
    } else if (waitUntilMs !== null) nowMs = Math.min(waitUntilMs, arrivals[next] ?? waitUntilMs);
  }
  return Math.round((1000 * inTime) / arrivals.length) / 10;
}
