import { fork } from 'node:child_process';
import path from 'node:path';
import { mallocEnv } from '@espalier/compression/runtime/malloc';
import { type ErrorBody, errorBody } from '@espalier/proto';
import type { FromWorker, PartEnd, Progress, TaskOf, ToWorker, Work, WorkKind } from './worker-protocol.js';

/** How a worker ended. `lost`: without a word, by a signal or a crash. */
export type WorkerEnd<K extends WorkKind = WorkKind> =
  | { kind: 'done'; result: Work[K]['result'] }
  | { kind: 'failed'; error: ErrorBody }
  | { kind: 'canceled' }
  | { kind: 'lost'; reason: string };

export interface WorkerOptions<K extends WorkKind> {
  readonly work: TaskOf<K>;
  readonly onProgress: (progress: Progress) => void;
  /** Takes over what one part of the work made; the worker goes on when it is done. Where it rejects, the work has failed. */
  readonly onPart?: (variantId: string, end: PartEnd) => Promise<void>;
  /** Aborts the work: asks, then SIGTERM, then SIGKILL. */
  readonly signal: AbortSignal;
  readonly onStart?: (pid: number) => void;
  readonly termAfterMs?: number;
  readonly killAfterMs?: number;
}

const WORKER = path.join(import.meta.dirname, 'worker.js');

/** Runs one piece of work in a process of its own. Never rejects: how it ended is the result. */
export function runWorker<K extends WorkKind>(options: WorkerOptions<K>): Promise<WorkerEnd<K>> {
  const { signal, termAfterMs = 3000, killAfterMs = 6000 } = options;
  if (signal.aborted) return Promise.resolve({ kind: 'canceled' });
  const child = fork(WORKER, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...mallocEnv, ...process.env },
  });
  if (child.pid) options.onStart?.(child.pid);
  let end: WorkerEnd<K> | null = null;
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  child.on('message', (message: FromWorker) => {
    if (message.type === 'progress') options.onProgress(message.progress);
    else if (message.type === 'part') taking = takeOver(message.variantId, message.end);
    else if (message.type === 'done') end = { kind: 'done', result: message.result as Work[K]['result'] };
    else end ??= { kind: 'failed', error: message.error };
  });
  let taking: Promise<void> = Promise.resolve();
  const tell = (message: ToWorker): void => {
    // A failed send is a worker that is gone already, and `close` tells how.
    if (child.connected) child.send(message, () => undefined);
  };
  const takeOver = async (variantId: string, part: PartEnd): Promise<void> => {
    try {
      await options.onPart?.(variantId, part);
      tell({ type: 'taken' });
    } catch (error) {
      end = { kind: 'failed', error: errorBody(error) };
      child.kill('SIGTERM');
    }
  };
  const timers: NodeJS.Timeout[] = [];
  const stop = (): void => {
    tell({ type: 'cancel' });
    timers.push(setTimeout(() => child.kill('SIGTERM'), termAfterMs));
    timers.push(setTimeout(() => child.kill('SIGKILL'), killAfterMs));
  };
  signal.addEventListener('abort', stop, { once: true });
  return new Promise((resolve) => {
    const settle = (reason: string): void => {
      signal.removeEventListener('abort', stop);
      for (const timer of timers) clearTimeout(timer);
      if (signal.aborted && end?.kind !== 'done') resolve({ kind: 'canceled' });
      else resolve(end ?? { kind: 'lost', reason: complaint.trim() ? `${reason}: ${complaint.trim()}` : reason });
    };
    child.on('error', (error) => settle(error.message));
    // What a part made is stored to its end, though the worker died meanwhile.
    child.on(
      'close',
      (code, how) => void taking.then(() => settle(`the worker ended by ${how ?? `exit code ${code}`}`)),
    );
    tell({ type: 'start', work: options.work as TaskOf });
  });
}
