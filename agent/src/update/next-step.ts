import type { UpdateStep } from '@espalier/proto';
import { HealthFailed, SelfTestCrashed, TooManyTransitions, UpdateCanceled } from '../errors.js';
import type { Execution, Situation, Step } from './update.types.js';

export const MAX_ATTEMPTS = 3;
export const MAX_TRANSITIONS = 28;

/** The order of a good update. ROLLBACK is entered by failure only. */
const FORWARD: Readonly<Record<UpdateStep, UpdateStep>> = {
  ACCEPT: 'DOWNLOAD',
  DOWNLOAD: 'VERIFY',
  VERIFY: 'STAGE',
  STAGE: 'SELF_TEST',
  SELF_TEST: 'READY',
  READY: 'SWITCH',
  SWITCH: 'HEALTH',
  HEALTH: 'COMMIT',
  COMMIT: 'CLEANUP',
  ROLLBACK: 'CLEANUP',
  CLEANUP: 'CLEANUP',
};

/** States in which an update can still be stopped as if it had never begun. */
const BEFORE_SWITCH: ReadonlySet<UpdateStep> = new Set(['ACCEPT', 'DOWNLOAD', 'VERIFY', 'STAGE', 'SELF_TEST', 'READY']);

/** True from the moment the switch is intended: from then on an update ends by its own rules. */
export const hasSwitched = (execution: Execution): boolean =>
  execution.before !== null || !BEFORE_SWITCH.has(execution.state);

/** The one step that brings a device nearer to its target. Pure: the same situation always gives the same step. */
export function nextStep(now: Situation): Step {
  const { execution, ended } = now.journal;
  if (!execution) {
    const target = now.desired?.target;
    if (!target || ended.has(target.executionId)) return { kind: 'idle' };
    return { kind: 'begin', target, profile: now.desired?.profile?.id ?? null };
  }
  if (execution.state === 'CLEANUP' && execution.done) {
    return { kind: 'end', outcome: execution.failure?.outcome ?? 'SUCCEEDED' };
  }
  if (execution.failure) return { kind: 'work', state: afterFailure(execution) };
  return stop(now, execution) ?? limit(execution) ?? advance(now, execution);
}

/** Back to the old model if the links were touched, then clean up. */
function afterFailure({ before, state, done }: Execution): UpdateStep {
  if (state === 'CLEANUP' || !before) return 'CLEANUP';
  return state === 'ROLLBACK' && done ? 'CLEANUP' : 'ROLLBACK';
}

/** Why this execution should end though nothing is wrong with it. */
function stop({ desired }: Situation, execution: Execution): Step | null {
  if (!desired || hasSwitched(execution)) return null;
  const { executionId } = execution.target;
  const why = desired.cancel.includes(executionId)
    ? 'the controller canceled it'
    : desired.target && desired.target.executionId !== executionId
      ? `execution ${desired.target.executionId} takes its place`
      : null;
  return why ? { kind: 'fail', outcome: 'CANCELED', error: UpdateCanceled({ why }).toJSON() } : null;
}

/** Ends what goes in circles, which a model that takes the whole process down would do for ever. */
function limit({ attempts, done, state, transitions, committed }: Execution): Step | null {
  const fail = (error: ReturnType<typeof SelfTestCrashed>): Step => ({
    kind: 'fail',
    outcome: 'FAILED',
    error: error.toJSON(),
  });
  if (!done && state === 'SELF_TEST' && attempts.SELF_TEST >= MAX_ATTEMPTS) {
    return fail(SelfTestCrashed({ attempts: attempts.SELF_TEST, cause: 'its process ended before a verdict' }));
  }
  if (!done && (state === 'SWITCH' || state === 'HEALTH') && attempts[state] >= MAX_ATTEMPTS) {
    return fail(HealthFailed({ cause: `the agent ended in ${state} ${attempts[state]} times` }));
  }
  if (transitions > MAX_TRANSITIONS && !committed) return fail(TooManyTransitions({ transitions }));
  return null;
}

function advance(now: Situation, execution: Execution): Step {
  if (!execution.done) return { kind: 'work', state: execution.state };
  // The device serves this artifact already: nothing to fetch, nothing to switch, but the answer is still owed.
  if (execution.state === 'ACCEPT' && now.served === execution.target.digest) return { kind: 'work', state: 'COMMIT' };
  const state = FORWARD[execution.state];
  return state === 'SWITCH' && now.held ? { kind: 'wait' } : { kind: 'work', state };
}
