/** What is left of a job, from how long its like took. */
export interface Eta {
  readonly low: number;
  readonly high: number;
}

/**
 * Seconds left as a range, or null without a past. The past gives the range of whole durations; what already passed
 * is taken off, and a job that outlasts its past is judged by its own progress.
 * @param pastSeconds durations of finished jobs of the same profile and recipe
 */
export function estimateLeft(pastSeconds: readonly number[], elapsedSeconds: number, progress: number): Eta | null {
  const sorted = [...pastSeconds].sort((a, b) => a - b);
  const low = sorted[Math.floor(sorted.length * 0.1)];
  const high = sorted[Math.floor(sorted.length * 0.9)];
  if (low === undefined || high === undefined) return null;
  const pace = progress > 0.05 ? (elapsedSeconds * (1 - progress)) / progress : null;
  const lowLeft = Math.max(0, low - elapsedSeconds);
  const highLeft = Math.max(0, high - elapsedSeconds);
  if (pace === null) return { low: lowLeft, high: Math.max(highLeft, lowLeft) };
  return { low: Math.min(lowLeft || pace, pace), high: Math.max(highLeft, pace) };
}
