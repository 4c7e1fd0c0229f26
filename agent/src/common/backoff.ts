import { setTimeout as sleepFor } from 'node:timers/promises';

export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full jitter: anywhere between nothing and the grown ceiling, so that a fleet does not come back in step. */
export const fullJitterMs = (attempt: number, { baseMs, capMs }: BackoffLimits, random: () => number): number =>
  Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));

/** The attempt number after a session ended: a session that did not last counts as another failure. */
export const nextAttempt = (attempt: number, lastedMs: number, steadyMs: number): number =>
  lastedMs >= steadyMs ? 0 : attempt + 1;

/** Waits; rejects with the signal's reason when it is aborted. */
export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  sleepFor(ms, undefined, signal ? { signal } : {});

/** True for errors that only say "you were asked to stop". */
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
