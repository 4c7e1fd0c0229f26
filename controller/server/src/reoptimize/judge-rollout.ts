import type { RolloutEntity } from '../rollouts/rollout.entity.js';

/** What becomes of a rollout that the loop began. */
export type Verdict =
  | { kind: 'wait' }
  | { kind: 'promoted'; reason: string }
  /** `command`: the loop must still ask for the way back; otherwise a person did. */
  | { kind: 'rolled-back'; reason: string; command: boolean };

/** Pauses that a person made are a person's to end; the rest is the rollout's own verdict on the variant. */
const OWN_VERDICTS = /^(GATE_|THRESHOLD_|ERROR_)/;

/** Pure: from the state of a rollout to the loop's next decision about it. */
export function judgeRollout(rollout: Pick<RolloutEntity, 'state' | 'reason'>): Verdict {
  const reason = rollout.reason ?? '';
  switch (rollout.state) {
    case 'FINISHED':
      return { kind: 'promoted', reason: reason || 'every group finished' };
    case 'ROLLED_BACK':
      return { kind: 'rolled-back', reason, command: false };
    case 'STOPPED':
      return { kind: 'rolled-back', reason, command: reason.startsWith('ABORTED') };
    case 'PAUSED':
      return OWN_VERDICTS.test(reason) ? { kind: 'rolled-back', reason, command: true } : { kind: 'wait' };
    default:
      return { kind: 'wait' };
  }
}
