import type { Recipe, WindowClass } from '@espalier/proto';
import type { Budget } from '@espalier/proto/api';

/** The recipe ladder, slowest and most exact first. */
export const LADDER: readonly Recipe[] = ['float', 'int8', 'pruned-int8'];

export interface LoopLatency {
  readonly p95Us: number | null;
  readonly n: number;
  readonly class: WindowClass;
  readonly measuredAtMs: number;
}

/** One built (or failed) variant of the model for the profile. */
export interface LoopVariant {
  readonly id: string;
  readonly recipe: Recipe;
  /** What came out; differs from the recipe when the builder kept float. */
  readonly method: string;
  readonly state: 'building' | 'ready' | 'failed';
  readonly note: string | null;
  readonly digest: string | null;
  /** Points of top-1 (or of agreement) below float; null when not evaluated. */
  readonly accuracyDrop: number | null;
  readonly sizeBytes: number | null;
  /** float p50 / variant p50 in the proof; null where not measured. */
  readonly proofSpeedup: number | null;
  /** p95 where devices of the profile served it, trusted windows only. */
  readonly measuredP95Us: number | null;
}

export interface PastDecision {
  readonly action: string;
  readonly recipe: string | null;
  readonly variantId: string | null;
  readonly atMs: number;
}

/** What the loop knows of one model on one profile. */
export interface LoopInput {
  readonly autoOptimize: boolean;
  readonly budget: Budget;
  readonly devices: number;
  /** Digest most devices of the profile serve of this model, and what they measured of it. */
  readonly servingDigest: string | null;
  readonly latency: LoopLatency | null;
  readonly variants: readonly LoopVariant[];
  /** A build or rollout of this model for this profile is under way. */
  readonly busy: 'job' | 'rollout' | null;
  /** Newest first. */
  readonly decisions: readonly PastDecision[];
  readonly limits: LoopLimits;
}

export interface LoopLimits {
  /** Fewer samples than this are no ground for a decision. */
  readonly samplesMin: number;
  /** A p95 up to this factor over the budget is taken as meeting it, so that noise at the edge starts nothing. */
  readonly hysteresis: number;
  /** Quiet time after a variant was rejected or rolled back. */
  readonly coolDownMs: number;
}

export type Numbers = Record<string, number | null>;

export type Proposal =
  | { kind: 'build'; recipe: Recipe; reason: string; numbers: Numbers }
  | { kind: 'rollout'; variantId: string; recipe: Recipe; reason: string; numbers: Numbers }
  | { kind: 'rejected'; variantId: string; recipe: Recipe; reason: string; numbers: Numbers }
  | { kind: 'nothing-left'; variantId: string | null; recipe: Recipe | null; reason: string; numbers: Numbers }
  | { kind: 'wait'; reason: string };
