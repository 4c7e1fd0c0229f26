/** Single-stream latency of a session: one run after another on this thread, as MLPerf's scenario of that name. */

/** Latencies of repeated runs on one thread, microseconds, in the order they ran. */
export interface BenchmarkResult {
  readonly coldUs: number;
  readonly windows: readonly (readonly number[])[];
}

export interface BenchmarkLimits {
  readonly limitMs: number;
  readonly windowRuns: number;
}

const WARM_WINDOW = 20;
const WARM_AGREEMENT = 1.05;
/** So many neighbouring windows count, if none is more than this factor off another. */
export const WINDOWS_TO_AGREE = 3;
const AGREEMENT = 1.1;

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const spread = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);

/** How far a percentile moves between windows: the largest over the smallest. */
export const spreadAt = (windows: readonly (readonly number[])[], share: number): number =>
  spread(windows.map((window) => quantile(window, share)));

/** True when there are three windows and a percentile of them agrees within 10%. */
export const agree = (windows: readonly (readonly number[])[], share: number): boolean =>
  windows.length === WINDOWS_TO_AGREE && spreadAt(windows, share) <= AGREEMENT;

/** True when the last three windows agree in p50 and in p95. */
const isSteady = (windows: readonly (readonly number[])[]): boolean => {
  const last = windows.slice(-WINDOWS_TO_AGREE);
  return agree(last, 0.5) && agree(last, 0.95);
};

/**
 * Warms up until three windows of 20 runs agree within 5%, then measures windows until the last three are steady or the
 * time is over. All windows come back: which of them count is decided by who reads them.
 * @param timed microseconds of so many runs, one after another on one thread
 */
export async function benchmark(
  timed: (runs: number) => Promise<readonly number[]>,
  plan: BenchmarkLimits,
  now: () => number,
): Promise<BenchmarkResult> {
  const startedAt = now();
  const [coldUs = 0] = await timed(1);
  const warm: number[] = [];
  while (now() - startedAt < plan.limitMs / 3) {
    warm.push(quantile(await timed(WARM_WINDOW), 0.5));
    if (warm.length >= WINDOWS_TO_AGREE && spread(warm.slice(-WINDOWS_TO_AGREE)) <= WARM_AGREEMENT) break;
  }
  const windows: (readonly number[])[] = [];
  do windows.push(await timed(plan.windowRuns));
  while (!isSteady(windows) && now() - startedAt < plan.limitMs);
  return { coldUs, windows };
}
