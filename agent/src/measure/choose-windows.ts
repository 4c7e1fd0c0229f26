/** Which windows of a benchmark count. Pure. */
import { agree, spreadAt, WINDOWS_TO_AGREE } from '../runtime/benchmark.js';

export interface ChosenWindows {
  readonly samplesUs: readonly number[];
  readonly steady: { readonly p50: boolean; readonly p95: boolean };
}

/**
 * The three neighbouring windows that agree best, judged by their p95: a passing disturbance shows there first. Every
 * sample of the three counts; nothing inside a window is left out.
 */
export function chooseWindows(windows: readonly (readonly number[])[]): ChosenWindows {
  const runs = Math.max(1, windows.length - WINDOWS_TO_AGREE + 1);
  const candidates = Array.from({ length: runs }, (_, at) => windows.slice(at, at + WINDOWS_TO_AGREE));
  const best = candidates.toSorted((a, b) => spreadAt(a, 0.95) - spreadAt(b, 0.95))[0] ?? [];
  return { samplesUs: best.flat(), steady: { p50: agree(best, 0.5), p95: agree(best, 0.95) } };
}
