/**
 * Runs updates: asks nextStep, writes down what it is about to do, does it, writes down that it is done. One at a time.
 * Stopping it anywhere, politely or by kill -9, loses nothing: the journal says where to go on.
 */
import { CodedError, type DesiredState, type ExecutionMessage, errorBody, type UpdateStep } from '@espalier/proto';
import type { Log } from '../common/log.js';
import { Degraded, RolledBack, UpdateFault } from '../errors.js';
import { executors, type UpdateParts } from './executors.js';
import type { Unstamped } from './journal.js';
import { nextStep } from './next-step.js';
import type { Execution, Outcome, Situation, Step } from './update.types.js';

export interface UpdaterParts extends UpdateParts {
  readonly report: (message: ExecutionMessage) => void;
  readonly onServing: (error: CodedError | null) => void;
  readonly log: Log;
  /** Called after each record that enters a state is on the disk; tests and debugging kill the process there. */
  readonly onEntered: (state: UpdateStep) => void;
}

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
      if (step.kind === 'idle' || step.kind === 'wait') {
        await Promise.race([
          woken,
          new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
        ]);
      } else await this.#take(step, signal);
    }
  }

  #situation(): Situation {
    const { journal, store } = this.parts;
    return { journal: journal.state, desired: this.#desired, current: store.read('current'), held: false };
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
      log.warn({ state, error: (error as Error).message }, 'update failed');
      return this.#failed(state, error);
    } finally {
      this.#work = null;
    }
    journal.append({ type: 'done', state });
    if (state === 'SWITCH' || state === 'ROLLBACK') this.parts.onServing(null);
  }

  /** A fault before the switch leaves the old model alone; in ROLLBACK nothing is left to go back to. */
  #failed(state: UpdateStep, error: unknown): void {
    const { journal, onServing } = this.parts;
    const coded =
      error instanceof CodedError ? error : UpdateFault({ state, cause: (error as Error).message }, { cause: error });
    if (state === 'ROLLBACK' || state === 'CLEANUP') {
      if (state === 'ROLLBACK') onServing(Degraded({ cause: coded.message }));
      journal.append({ type: 'done', state });
      return;
    }
    journal.append({ type: 'fail', outcome: state === 'ACCEPT' ? 'REJECTED' : 'FAILED', error: coded.toJSON() });
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
