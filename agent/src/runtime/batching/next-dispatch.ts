/** What a free worker does next: drop what is lost, run a batch, or wait for a better one. Pure. */
import type { LatencyCurve } from './latency-curve.js';

/** What the scheduler knows of a waiting request. Times are milliseconds of one monotonic clock. */
export interface Waiting {
  /** Rows of the batch axis it brings. */
  readonly rows: number;
  /** When its answer is worth nothing any more; Infinity for never. */
  readonly deadlineMs: number;
}

export interface DispatchLimits {
  /** Rungs that may be used: proven batchable and within the memory budget. */
  readonly rungs: readonly number[];
  readonly optimal: number;
  /** Rows that arrive a millisecond. */
  readonly arrivalRate: number;
}

export interface Dispatch<R extends Waiting> {
  /** Cannot be answered in time: to be refused before they cost anything. */
  readonly drop: readonly R[];
  /** To run as one batch, in this order. */
  readonly take: readonly R[];
  /** When to look again, if it pays to wait for more; else null. */
  readonly waitUntilMs: number | null;
}

const DROP_MARGIN = 1.05;
const FIT_MARGIN = 1.1;
const SKIP_PENALTY = 0.9;
const TIE = 0.97;
const WAIT_GAIN = 1.15;
/** Node's timers are not honest below. */
const SHORTEST_WAIT_MS = 2;

interface Candidate<R> {
  readonly take: readonly R[];
  readonly rows: number;
  readonly skipped: number;
  readonly score: number;
}

function candidate<R extends Waiting>(
  waiting: readonly R[],
  rung: number,
  curve: LatencyCurve,
  nowMs: number,
): Candidate<R> {
  const available = waiting.reduce((sum, { rows }) => sum + rows, 0);
  const costMs = curve.latencyMs(Math.min(rung, available));
  const take: R[] = [];
  let rows = 0;
  let skipped = 0;
  for (const request of waiting) {
    if (nowMs + FIT_MARGIN * costMs > request.deadlineMs) skipped++;
    else if (rows + request.rows > rung) break;
    else {
      take.push(request);
      rows += request.rows;
    }
  }
  return { take, rows, skipped, score: (rows / costMs) * (skipped > 0 ? SKIP_PENALTY : 1) };
}

/** When it pays to wait for the next rung: null when the gain is small, the slack short, or the timer too coarse. */
function worthWaiting<R extends Waiting>(
  chosen: Candidate<R>,
  { rungs, optimal, arrivalRate }: DispatchLimits,
  curve: LatencyCurve,
  nowMs: number,
): number | null {
  const larger = rungs.find((rung) => rung > chosen.rows && rung <= optimal);
  if (!larger || !(arrivalRate > 0)) return null;
  const delayMs = (larger - chosen.rows) / arrivalRate;
  const costMs = curve.latencyMs(larger);
  const deadlineMs = Math.min(...chosen.take.map((request) => request.deadlineMs));
  if (delayMs < SHORTEST_WAIT_MS || !Number.isFinite(deadlineMs)) return null;
  if (nowMs + delayMs + FIT_MARGIN * costMs > deadlineMs) return null;
  const gain = larger / (delayMs + costMs) / curve.throughput(chosen.rows);
  return gain > WAIT_GAIN ? nowMs + delayMs : null;
}

/**
 * Nothing else is to be done: the one with the most time left is run although it will probably be late. It takes nobody's
 * place, and a curve that refused everything would never learn better.
 */
function tryOne<R extends Waiting>(lost: readonly R[], nowMs: number): Dispatch<R> {
  const hopeful = lost.filter(({ deadlineMs }) => deadlineMs > nowMs);
  const one = hopeful.reduce<R | null>(
    (best, next) => (best && best.deadlineMs >= next.deadlineMs ? best : next),
    null,
  );
  return { drop: lost.filter((request) => request !== one), take: one ? [one] : [], waitUntilMs: null };
}

/**
 * The rule for a worker that is free: requests that cannot make even a batch of one are dropped; of the rungs, the one with
 * the most rows a millisecond is taken, within 3% the one that passes over fewer. A queue no longer than the optimal batch
 * uses rungs up to that; a backlog uses all.
 * @param waiting in the order in which they should be served
 */
export function nextDispatch<R extends Waiting>(
  waiting: readonly R[],
  curve: LatencyCurve,
  nowMs: number,
  limits: DispatchLimits,
): Dispatch<R> {
  const latestStart = nowMs + DROP_MARGIN * curve.latencyMs(1);
  const isLost = ({ deadlineMs }: R): boolean => latestStart > deadlineMs;
  const drop = waiting.filter(isLost);
  const rest = drop.length > 0 ? waiting.filter((request) => !isLost(request)) : waiting;
  if (rest.length === 0) return tryOne(drop, nowMs);
  const rows = rest.reduce((sum, request) => sum + request.rows, 0);
  const rungs = rows <= limits.optimal ? limits.rungs.filter((rung) => rung <= limits.optimal) : limits.rungs;
  const candidates = rungs.map((rung) => candidate(rest, rung, curve, nowMs)).filter(({ take }) => take.length > 0);
  const best = Math.max(...candidates.map(({ score }) => score));
  const chosen = candidates
    .filter(({ score }) => score >= TIE * best)
    .reduce<Candidate<R> | null>((a, b) => (a && a.skipped <= b.skipped ? a : b), null);
  // Nothing fits a rung: what is left is wider than the ladder, or between the two margins, and runs alone.
  if (!chosen) return { drop, take: rest.slice(0, 1), waitUntilMs: null };
  const waitUntilMs = worthWaiting(chosen, limits, curve, nowMs);
  return waitUntilMs === null ? { drop, take: chosen.take, waitUntilMs } : { drop, take: [], waitUntilMs };
}
