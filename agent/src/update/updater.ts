/**
 * Runs updates: asks nextStep, writes down what it is about to do, does it, writes down that it is done. One at a time.
 * Stopping it anywhere, politely or by kill -9, loses nothing: the journal says where to go on.
 */
import { CodedError, type DesiredState, type ExecutionMessage, errorBody, type UpdateStep } from '@espalier/proto';
import { sleep } from '../common/backoff.js';
import type { Log } from '../common/log.js';
import { Degraded, DiskFull, JournalStuck, RolledBack, SelfTestCrashed, UpdateFault } from '../errors.js';
import { executors, type UpdateParts } from './executors.js';
import type { Unstamped } from './journal.js';
import { nextStep } from './next-step.js';
import type { Execution, Outcome, Situation, Step } from './update.types.js';
import { isOpen, type UpdateWindow } from './update-window.js';

export interface UpdaterParts extends UpdateParts {
  readonly report: (message: ExecutionMessage) => void;
  /** Local time of day in which this device may switch; null is always. */
  readonly window: UpdateWindow | null;
  /** Called when neither the new model nor the one from before could be served. */
  readonly onDegraded: (error: CodedError) => void;
  readonly log: Log;
  /** Called after each record that enters a state is on the disk; tests and debugging kill the process there. */
  readonly onEntered: (state: UpdateStep) => void;
}

/** How long to wait before looking again at a clock or a disk, which do not say when they changed. */
const LOOK_AGAIN_MS = 15_000;

export class Updater {
  #desired: DesiredState | null = null;
  #wake: () => void = () => undefined;
  #work: AbortController | null = null;

  constructor(private readonly parts: UpdaterParts) {}

  /** Takes a newer desired state; work that it makes pointless is stopped. */
  want(desired: DesiredState): void {
    if (this.#desired && desired.revision < this.#desired.revision) return;
    this.#desired = desired;
    const next = nextStep(this.#situation());
    if (next.kind === 'fail' && next.outcome === 'CANCELED')
      this.#work?.abort(new DOMException('canceled', 'AbortError'));
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const step = nextStep(this.#situation());
      if (step.kind === 'idle' || step.kind === 'wait') await this.#rest(woken, signal);
      else {
        await this.#take(step, signal).catch(async (error: unknown) => {
          if (!JournalStuck.is(error)) throw error;
          this.parts.log.error({ code: error.code, error: error.message }, 'the update waits for room on the disk');
          await this.#rest(woken, signal);
        });
      }
    }
  }

  /** Until there is news, and not for long. */
  async #rest(woken: Promise<void>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const pause = sleep(LOOK_AGAIN_MS, AbortSignal.any([signal, over.signal])).catch(() => undefined);
    await Promise.race([woken, pause]);
    over.abort();
  }

  #situation(): Situation {
    const { journal, serving, window, now } = this.parts;
    const held = window !== null && !isOpen(window, new Date(now()));
    return { journal: journal.state, desired: this.#desired, served: serving.served?.digest ?? null, held };
  }

  async #take(step: Step, signal: AbortSignal): Promise<void> {
    const { journal } = this.parts;
    switch (step.kind) {
      case 'begin':
        this.#enter({ type: 'begin', target: step.target, profile: step.profile }, 'ACCEPT');
        break;
      case 'work':
        if (journal.state.execution?.state !== step.state)
          this.#enter({ type: 'enter', state: step.state }, step.state);
        await this.#perform(step.state, signal);
        break;
      case 'fail':
        journal.append({ type: 'fail', outcome: step.outcome, error: step.error });
        break;
      case 'end':
        this.#end(step.outcome);
        break;
    }
  }

  #enter(record: Unstamped, state: UpdateStep): void {
    this.parts.journal.append(record);
    this.parts.log.info({ state }, 'update');
    this.#report(this.parts.journal.state.execution!, 'IN_PROGRESS');
    this.parts.onEntered(state);
  }

  async #perform(state: UpdateStep, signal: AbortSignal): Promise<void> {
    const { journal, log } = this.parts;
    this.#work = new AbortController();
    try {
      await executors[state](this.parts, journal.state.execution!, AbortSignal.any([signal, this.#work.signal]));
    } catch (error) {
      if (signal.aborted || this.#work.signal.aborted) return;
      if (JournalStuck.is(error)) throw error;
      log.warn({ state, error: (error as Error).message }, 'update failed');
      return this.#failed(state, error);
    } finally {
      this.#work = null;
    }
    journal.append({ type: 'done', state });
  }

  /** A fault before the switch leaves the old model alone; in ROLLBACK nothing is left to go back to. */
  #failed(state: UpdateStep, error: unknown): void {
    const { journal, onDegraded } = this.parts;
    const coded = this.#coded(state, error);
    // A crash is no verdict: nextStep has counted it, and says when it is one too many.
    if (SelfTestCrashed.is(error)) return;
    if (state === 'ROLLBACK' || state === 'CLEANUP') {
      if (state === 'ROLLBACK') onDegraded(Degraded({ cause: coded.message }));
      journal.append({ type: 'done', state });
      return;
    }
    journal.append({ type: 'fail', outcome: state === 'ACCEPT' ? 'REJECTED' : 'FAILED', error: coded.toJSON() });
  }

  #coded(state: UpdateStep, error: unknown): CodedError {
    if (error instanceof CodedError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') return UpdateFault({ state, cause: message }, { cause: error });
    const { store, journal } = this.parts;
    const neededBytes = journal.state.execution?.target.sizeBytes ?? 0;
    return DiskFull({ path: store.root, neededBytes, freeBytes: store.freeBytes() }, { cause: error });
  }

  #end(outcome: Outcome): void {
    const { journal } = this.parts;
    const execution = journal.state.execution!;
    this.#report(execution, outcome);
    journal.append({ type: 'end', executionId: execution.target.executionId, outcome });
    journal.compact();
  }

  #report(execution: Execution, state: ExecutionMessage['state']): void {
    const failure = state === 'IN_PROGRESS' ? null : execution.failure;
    const rolledBack = failure !== null && execution.before !== null;
    const error = rolledBack
      ? errorBody(RolledBack({ cause: failure.error.message, causeCode: failure.error.code }))
      : failure?.error;
    this.parts.report({
      executionId: execution.target.executionId,
      digest: execution.target.digest,
      sequence: state === 'IN_PROGRESS' ? execution.records : execution.records + 1,
      state,
      step: execution.state,
      progress: null,
      error: error ? { ...error, details: { ...error.details } } : null,
      at: new Date(this.parts.now()).toISOString(),
    });
  }
}
