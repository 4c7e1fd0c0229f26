/** What a simulated controller has in its database: plain data, so that a restart is reading it again. */
import type { LoopInput, LoopVariant, LoopWindow, PastDecision } from '@espalier/server/reoptimize/loop.types';
import type { TickExecution, TickGroup } from '@espalier/server/rollouts/rollout.types';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface SimDevice {
  readonly id: string;
  serving: string;
  online: boolean;
  /** Newest first, of whatever it served then. */
  windows: (LoopWindow & { readonly digest: string })[];
}

export interface SimRollout {
  readonly id: string;
  readonly variantId: string;
  readonly digest: string;
  readonly previous: string;
  readonly byLoop: boolean;
  state: 'RUNNING' | 'PAUSED' | 'FINISHED' | 'STOPPED' | 'STOPPING';
  reason: string;
  groups: Writable<TickGroup>[];
  executions: Writable<TickExecution>[];
}

export interface SimDecision extends PastDecision {
  readonly rolloutId: string | null;
}

export interface SimState {
  devices: SimDevice[];
  variants: Writable<LoopVariant>[];
  /** Newest first, under the present budget. */
  history: SimDecision[];
  builds: number[];
  jobs: { readonly variantId: string; readonly endsAtMs: number }[];
  rollouts: SimRollout[];
  budgetUs: number;
  table: Writable<LoopInput['table']> & { readyAtMs: number | null };
  trials: { readonly variantId: string; readonly endsAtMs: number }[];
  nextId: number;
}

export const isOpen = ({ state }: SimRollout): boolean => !['FINISHED', 'STOPPED'].includes(state);
