import type { DesiredState, ErrorBody, Target, UpdateStep } from '@espalier/proto';

/** States in which a model runs: what takes the process down there would do it again after every start. */
export type CountedState = 'SELF_TEST' | 'SWITCH' | 'HEALTH';

export type Outcome = 'SUCCEEDED' | 'FAILED' | 'REJECTED' | 'CANCELED';

/** One record of the journal. Records are appended and synced before what they announce is done. */
export type JournalRecord = { readonly at: string } & (
  | { readonly type: 'begin'; readonly target: Target; readonly profile: string | null }
  | { readonly type: 'enter'; readonly state: UpdateStep }
  /** Counted before the work: what dies in it has still been tried. */
  | { readonly type: 'attempt'; readonly state: CountedState }
  | { readonly type: 'intent'; readonly from: string | null; readonly fromPrevious: string | null }
  | { readonly type: 'done'; readonly state: UpdateStep }
  | { readonly type: 'commit'; readonly releaseKey: string; readonly releaseCounter: number }
  | { readonly type: 'fail'; readonly outcome: Exclude<Outcome, 'SUCCEEDED'>; readonly error: ErrorBody }
  | { readonly type: 'end'; readonly executionId: string; readonly outcome: Outcome }
  | {
      readonly type: 'snapshot';
      readonly ended: Readonly<Record<string, Outcome>>;
      readonly releases: Readonly<Record<string, number>>;
    }
);

/** An execution as the journal tells it. */
export interface Execution {
  readonly target: Target;
  readonly profile: string | null;
  readonly state: UpdateStep;
  /** The work of `state` was finished. */
  readonly done: boolean;
  readonly transitions: number;
  /** How often the work of each was begun. */
  readonly attempts: Readonly<Record<CountedState, number>>;
  /** What the links named before the switch; null until the switch is intended. */
  readonly before: { readonly current: string | null; readonly previous: string | null } | null;
  readonly committed: boolean;
  readonly failure: { readonly outcome: Exclude<Outcome, 'SUCCEEDED'>; readonly error: ErrorBody } | null;
  /** Records of this execution so far: the sequence of its reports. */
  readonly records: number;
}

export interface JournalState {
  readonly execution: Execution | null;
  /** Executions that ended here, so that a repeated document does not start them again. */
  readonly ended: ReadonlyMap<string, Outcome>;
  /** Highest committed release counter by `model/profile` (anti-rollback). */
  readonly releases: ReadonlyMap<string, number>;
}

/** All that decides the next step. */
export interface Situation {
  readonly journal: JournalState;
  readonly desired: DesiredState | null;
  /** Digest of the artifact that answers requests. */
  readonly served: string | null;
  /** It is not the time for updates: nothing is switched. */
  readonly held: boolean;
}

export type Step =
  | { readonly kind: 'idle' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'begin'; readonly target: Target; readonly profile: string | null }
  | { readonly kind: 'work'; readonly state: UpdateStep }
  | { readonly kind: 'fail'; readonly outcome: Exclude<Outcome, 'SUCCEEDED'>; readonly error: ErrorBody }
  | { readonly kind: 'end'; readonly outcome: Outcome };
