import type { ExecutionState, WindowClass } from '@espalier/proto';
import type { GatePlan, GateView, GroupPlan, GroupState, RolloutState } from '@espalier/proto/api';

/** One device in one rollout, as the tick sees it. Times in ms since the epoch. */
export interface TickExecution {
  readonly id: string;
  readonly deviceId: string;
  readonly profile: string;
  readonly group: number;
  readonly state: ExecutionState;
  readonly online: boolean;
  /** The device was removed from the fleet; its execution ends as REMOVED and leaves the ratios. */
  readonly removed: boolean;
  /** Skipped at the deadline: out of the ratios like REMOVED. */
  readonly skipped: boolean;
  readonly dispatchedAtMs: number | null;
  /** Last sign of life of this execution: dispatch or a report. */
  readonly updatedAtMs: number;
}

/** What a device measured of its new variant since it was dispatched, and of the one before. Microseconds. */
export interface TickLatency {
  readonly p95Us: number;
  readonly previousP95Us: number | null;
  readonly n: number;
  readonly class: WindowClass;
}

export interface TickGroup {
  readonly index: number;
  readonly plan: GroupPlan;
  readonly state: GroupState;
  /** Frozen when the group starts; null before. */
  readonly total: number | null;
  readonly startedAtMs: number | null;
  /** End of the soak; null until the success threshold is met. */
  readonly soakUntilMs: number | null;
  /** Since when a gate has blocked without a break; null while none does. */
  readonly blockedSinceMs: number | null;
}

export interface TickLimits {
  /** IN_PROGRESS executions of one rollout at a time. */
  readonly inFlightMax: number;
  /** Without a report for so long an execution in progress is TIMED_OUT. */
  readonly silenceMs: number;
  /** A QUEUED device that is offline is skipped so long after its group started. */
  readonly offlineMs: number;
  /** So long a blocking gate may recover before the rollout pauses: one bad window must not decide. */
  readonly blockedMs: number;
  /** So long a gate waits for measurements before the rollout pauses. */
  readonly unmeasuredMs: number;
  /** For so long only clean or contended windows feed a gate; then any class does, and the reason says so. */
  readonly untrustedMs: number;
}

/** Everything a tick decides on: one consistent reading of a rollout. */
export interface TickInput {
  readonly state: RolloutState;
  readonly gate: GatePlan;
  readonly groups: readonly TickGroup[];
  readonly executions: readonly TickExecution[];
  /** By execution id, for those that SUCCEEDED and have measured since. */
  readonly latencies: ReadonlyMap<string, TickLatency>;
  readonly limits: TickLimits;
}

export type Criterion = 'FAILED' | 'TIMED_OUT';

/** One thing to do, with the reason that is stored. A tick returns them in the order they are done. */
export type Step =
  | { kind: 'markRemoved'; executionIds: string[] }
  | { kind: 'timeOut'; executionIds: string[]; silenceMs: number }
  | { kind: 'skipOffline'; executionIds: string[]; offlineMs: number }
  | { kind: 'startGroup'; index: number; total: number }
  | { kind: 'dispatch'; executionIds: string[] }
  | { kind: 'startSoak'; index: number; untilMs: number }
  | { kind: 'markBlocked'; index: number; sinceMs: number | null }
  | { kind: 'recordGates'; index: number; gates: GateView[] }
  | { kind: 'finishGroup'; index: number; reason: string }
  | { kind: 'failGroup'; index: number; reason: string }
  | { kind: 'abort'; criterion: Criterion; reason: string }
  | { kind: 'pause'; reason: string }
  | { kind: 'finish'; reason: string }
  | { kind: 'endStopped'; reason: string | null }
  | { kind: 'endRolledBack'; reason: string };

/** An executor for every kind of step: a new kind does not compile until it has one. */
export type Executors<Context> = {
  readonly [K in Step['kind']]: (context: Context, step: Extract<Step, { kind: K }>) => Promise<void>;
};
