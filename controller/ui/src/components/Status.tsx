import type { ReactNode } from 'react';
import { states } from '../strings/common';
import { Icon } from './Icon';
import { icons } from './icons';

export type ToneName = 'good' | 'running' | 'warning' | 'failed' | 'none';

const tones: Readonly<Record<string, ToneName>> = {
  online: 'good',
  ready: 'good',
  meets: 'good',
  ok: 'good',
  done: 'good',
  SUCCEEDED: 'good',
  FINISHED: 'good',
  degraded: 'warning',
  warning: 'warning',
  waiting: 'none',
  PAUSED: 'warning',
  TIMED_OUT: 'warning',
  ROLLED_BACK: 'warning',
  misses: 'warning',
  steady: 'good',
  moving: 'running',
  drifted: 'warning',
  failed: 'failed',
  FAILED: 'failed',
  REJECTED: 'failed',
  ERROR: 'failed',
  blocks: 'failed',
  building: 'running',
  running: 'running',
  RUNNING: 'running',
  STARTING: 'running',
  SOAKING: 'running',
  IN_PROGRESS: 'running',
  CREATING: 'running',
  STOPPING: 'running',
  ROLLING_BACK: 'running',
};

/** The tone of a state of the contract; one that is not listed is neutral. */
export const toneOf = (state: string): ToneName => tones[state] ?? 'none';

/** Icon, words and colour together: never colour alone. */
export function Tone({ tone, children }: { readonly tone: ToneName; readonly children: ReactNode }) {
  return (
    <span className={`tone tone-${tone}`}>
      <Icon path={icons[tone]} size={14} />
      <span>{children}</span>
    </span>
  );
}

/** A state of the contract in words. */
export const Status = ({ state }: { readonly state: string }) => (
  <Tone tone={toneOf(state)}>{states[state] ?? state}</Tone>
);
