/** Whether a request that arrives can be answered in time at all. Pure. */
import type { LatencyCurve } from './latency-curve.js';

export interface Load {
  /** Rows that wait already. */
  readonly backlogRows: number;
  readonly workers: number;
  readonly optimal: number;
}

export type Admission = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

/**
 * Refuses what would only wait to be dropped: backlog / learnt throughput + L past the deadline. The refusal says when the
 * backlog will have shrunk enough.
 */
export function admit(
  request: { readonly rows: number; readonly deadlineMs: number },
  curve: LatencyCurve,
  { backlogRows, workers, optimal }: Load,
  nowMs: number,
): Admission {
  const waitMs = backlogRows / (workers * curve.throughput(optimal));
  const lateMs = nowMs + waitMs + curve.latencyMs(request.rows) - request.deadlineMs;
  return lateMs > 0 ? { ok: false, retryAfterMs: Math.max(1, Math.ceil(Math.min(waitMs, lateMs))) } : { ok: true };
}
