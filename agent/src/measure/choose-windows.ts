/** Which windows of a benchmark count. Pure. */
import { quantile } from '../runtime/benchmark.js';

const TAKEN = 3;
const AGREEMENT = 1.1;

export interface ChosenWindows {
  readonly samplesUs: readonly number[];
  readonly steady: { readonly p50: boolean; readonly p95: boolean };
}

const spreadOf = (windows: readonly (readonly number[])[], share: number): number => {
  const values = windows.map((window) => quantile(window, share));
  return Math.max(...values) / Math.min(...values);
};

/**
 * The three neighbouring windows that agree best, judged by their p95: a passing disturbance shows there first. Every
 * sample of the three counts; nothing inside a window is left out.
 */
export function chooseWindows(windows: readonly (readonly number[])[]): ChosenWindows {
  const runs = Math.max(1, windows.length - TAKEN + 1);
  const candidates = Array.from({ length: runs }, (_, at) => windows.slice(at, at + TAKEN));
  const best = candidates.toSorted((a, b) => spreadOf(a, 0.95) - spreadOf(b, 0.95))[0] ?? [];
  const agree = (share: number): boolean => best.length === TAKEN && spreadOf(best, share) <= AGREEMENT;
  return { samplesUs: best.flat(), steady: { p50: agree(0.5), p95: agree(0.95) } };
}
