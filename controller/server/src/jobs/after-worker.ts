import type { ErrorBody } from '@espalier/proto';
import type { WorkerEnd } from './worker-process.js';

/** Attempts a job gets when its workers vanish. An error the build itself reports is final. */
export const ATTEMPTS_MAX = 3;

export type AfterWorker =
  | { kind: 'succeed' }
  | { kind: 'cancel' }
  | { kind: 'requeue'; reason: string; countsAttempt: boolean }
  | { kind: 'fail'; error: ErrorBody };

/** What becomes of a job whose worker ended. Pure. */
export function afterWorker(
  end: WorkerEnd,
  job: { attempt: number; cancelAsked: boolean; shuttingDown: boolean },
  lost: (reason: string) => ErrorBody,
): AfterWorker {
  if (end.kind === 'done') return { kind: 'succeed' };
  if (job.cancelAsked) return { kind: 'cancel' };
  if (end.kind === 'canceled' || job.shuttingDown) {
    return { kind: 'requeue', reason: 'the controller stopped', countsAttempt: false };
  }
  if (end.kind === 'failed') return { kind: 'fail', error: end.error };
  if (job.attempt >= ATTEMPTS_MAX) return { kind: 'fail', error: lost(end.reason) };
  return { kind: 'requeue', reason: end.reason, countsAttempt: true };
}
