import type { Latency, SessionOptions } from '@espalier/proto';
import type { Feeds, Session } from '../runtime/session.js';

type WindowClass = Latency['class'];

export interface LatencyPair {
  readonly float: Latency;
  readonly variant: Latency;
  /** Processor time of a run, median over the slices, in microseconds: what others take of the machine does not count. */
  readonly cpuUs: { readonly float: number; readonly variant: number };
}

/** Slices of both sessions alternate, so that what else the machine does falls on both alike. */
const SLICE_MS = 20;
const ROUNDS = 31;
const ROUNDS_MIN = 9;
const TOTAL_MS_MAX = 12_000;
const P95_SAMPLES_MIN = 90;
/** Below this share of a core the process was held up by others. */
const CPU_SHARE_MIN = 0.9;

export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

interface Timer {
  readonly nowUs: () => number;
  readonly cpuUs: () => number;
}

const processTimer: Timer = {
  nowUs: () => Number(process.hrtime.bigint()) / 1000,
  cpuUs: () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
};

/** Runs one session for a slice of time; appends what each run took, in microseconds. @returns processor time of a run */
async function slice(session: Session, feeds: Feeds, times: number[], { nowUs, cpuUs }: Timer): Promise<number> {
  const end = nowUs() + SLICE_MS * 1000;
  const [before, startCpuUs] = [times.length, cpuUs()];
  do {
    const start = nowUs();
    await session.run(feeds);
    times.push(nowUs() - start);
  } while (nowUs() < end);
  return (cpuUs() - startCpuUs) / (times.length - before);
}

export const median = (values: readonly number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

function summarize(times: number[], windowClass: WindowClass): Latency {
  times.sort((a, b) => a - b);
  const p95Us = times.length >= P95_SAMPLES_MIN ? round(quantile(times, 0.95)) : null;
  return { p50Us: round(quantile(times, 0.5)), p95Us, n: times.length, class: windowClass };
}

const round = (us: number): number => Math.round(us * 10) / 10;

/**
 * Times two sessions in the same run, alternating in slices of 20 ms, batch as in `feeds`. The class says whether
 * others took the processor away meanwhile: ratios of such a run still hold, its microseconds do not.
 */
export async function measurePair(
  float: Session,
  variant: Session,
  feeds: Feeds,
  signal?: AbortSignal,
  timer: Timer = processTimer,
): Promise<LatencyPair> {
  for (const session of [float, variant]) await slice(session, feeds, [], timer);
  const [floatUs, variantUs]: [number[], number[]] = [[], []];
  const [floatCpuUs, variantCpuUs]: [number[], number[]] = [[], []];
  const [startUs, startCpuUs] = [timer.nowUs(), timer.cpuUs()];
  for (let round = 0; round < ROUNDS; round++) {
    signal?.throwIfAborted();
    if (round >= ROUNDS_MIN && timer.nowUs() - startUs > TOTAL_MS_MAX * 1000) break;
    floatCpuUs.push(await slice(float, feeds, floatUs, timer));
    variantCpuUs.push(await slice(variant, feeds, variantUs, timer));
  }
  const share = (timer.cpuUs() - startCpuUs) / (timer.nowUs() - startUs);
  const windowClass = share < CPU_SHARE_MIN ? 'contended' : 'clean';
  const spent = { float: median(floatCpuUs), variant: median(variantCpuUs) };
  return { float: summarize(floatUs, windowClass), variant: summarize(variantUs, windowClass), cpuUs: spent };
}

/**
 * Times of both that can be compared and chosen by, in microseconds: on one thread the processor's, which is the time of a
 * free machine. Where others take the processor away, the clock holds long runs up more often than short ones, which would
 * flatter every build. On several threads the clock is all there is.
 */
export const steadyUs = (
  { float, variant, cpuUs }: LatencyPair,
  { intraOpNumThreads }: SessionOptions,
): LatencyPair['cpuUs'] => (intraOpNumThreads === 1 ? cpuUs : { float: float.p50Us, variant: variant.p50Us });

/** Float's time over the variant's. */
export function speedupOf(pair: LatencyPair, options: SessionOptions): number {
  const { float, variant } = steadyUs(pair, options);
  return float / variant;
}
