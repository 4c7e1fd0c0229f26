import type { Recipe, WindowClass } from '@espalier/proto';
import type { Budget } from '@espalier/proto/api';

/** The recipes, slowest and most exact first. */
export const LADDER: readonly Recipe[] = ['float', 'int8', 'pruned-int8'];

/** One measuring window of what a device serves now. Microseconds. */
export interface LoopWindow {
  readonly p50Us: number;
  readonly p95Us: number | null;
  readonly n: number;
  readonly class: WindowClass;
  readonly endedAtMs: number;
}

/** A device of the profile that serves the model. */
export interface LoopDevice {
  readonly id: string;
  /** Newest first. */
  readonly windows: readonly LoopWindow[];
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
  /** Why its proof proves nothing, or null. */
  readonly doubt: string | null;
  readonly sizeBytes: number | null;
  /** float p50 / variant p50 in the proof; null where not measured. */
  readonly proofSpeedup: number | null;
  /** Runtime that it was proven with, as devices name it. */
  readonly runtime: string | null;
  /** Adapters of other runtimes that it has a file for: a device that has one of them takes the faster. */
  readonly otherRuntimes: readonly string[];
  /** p95 where devices of the profile served it, trusted windows only. */
  readonly measuredP95Us: number | null;
  /** What the latency table said of it, and what a device of the profile measured of it before it served. */
  readonly predictedUs: number | null;
  readonly trialUs: number | null;
  /** Whether a device was asked to try it; `failed`: none could. */
  readonly trial: 'none' | 'open' | 'failed';
  readonly createdAtMs: number;
}

export interface PastDecision {
  readonly action: string;
  readonly recipe: string | null;
  readonly variantId: string | null;
  readonly atMs: number;
}

/** Data that builds of the model may use. */
export interface LoopData {
  readonly samples: number;
  readonly labelled: boolean;
}

/** What is known of the latency table of this model on this profile. */
export interface LoopTable {
  readonly state: 'measured' | 'measuring' | 'absent' | 'stale' | 'unavailable';
  /** Why it is stale or cannot be had; what is waited for. */
  readonly reason: string;
  /** p50 of the narrowest network by measured rows; null without. */
  readonly narrowestUs: number | null;
  readonly measuredAtMs: number | null;
}

/** Who may be changed, and by whom. */
export interface LoopPolicy {
  /** The switch of the model, and that of this profile of it. */
  readonly model: boolean;
  readonly profile: boolean;
  /** A person approves each rollout. */
  readonly approval: boolean;
  /** Windows in which others used the processor count too: for a device that is never alone. */
  readonly contended: boolean;
}

/** What the loop knows of one model on one profile. */
export interface LoopInput {
  readonly policy: LoopPolicy;
  readonly budget: Budget;
  readonly devices: readonly LoopDevice[];
  /** Digest most devices of the profile serve of this model; null where none serves this version of it. */
  readonly servingDigest: string | null;
  /** Then: what calls for a first build, the recipe that serves elsewhere, and since when. */
  readonly unbuilt: {
    readonly why: 'new-version' | 'new-profile';
    readonly recipe: Recipe;
    readonly sinceMs: number;
  } | null;
  readonly variants: readonly LoopVariant[];
  readonly data: LoopData;
  readonly table: LoopTable;
  /** Runtimes that the devices of the profile have, and the one that builds are proven with. */
  readonly runtimes: readonly string[];
  readonly builderRuntime: string;
  /** Devices by the adapter of the runtime that they serve with now, as their newest windows say. */
  readonly servedBy: Readonly<Record<string, number>>;
  /** Smaller registered models with the same labels. */
  readonly family: readonly { readonly name: string; readonly sizeShare: number }[];
  /** A build or rollout of this model for this profile is under way. */
  readonly busy: 'job' | 'rollout' | null;
  /** Under the present budget, newest first. */
  readonly history: readonly PastDecision[];
  /** Builds that the loop began for this model and profile in the last 24 hours, whatever the budget was. */
  readonly buildsToday: number;
  readonly limits: LoopLimits;
}

export interface LoopLimits {
  /** Fewer samples of one device than this are no ground for a decision. */
  readonly samplesMin: number;
  /** So many of a device's newest windows must agree. */
  readonly windowsMin: number;
  /** Older windows tell of other conditions. */
  readonly freshMs: number;
  /** Share of the measured devices that must miss the budget. */
  readonly deviceShare: number;
  /** A p50 so many times the median of the profile, or one such part of it, is a device that is not like the others. */
  readonly outlierFactor: number;
  /** A p95 up to this factor over the budget is taken as meeting it, so that noise at the edge starts nothing. */
  readonly hysteresis: number;
  /** A build must be so many times as fast to replace one that meets the budget. */
  readonly clearGain: number;
  /** Quiet time after a build was rolled back; doubled by each further one. */
  readonly coolDownMs: number;
  /** A new version is left to its owner for so long. */
  readonly settleMs: number;
  readonly buildsPerDay: number;
  /** Largest distance of a prediction from what the device measured, as a share. */
  readonly predictionError: number;
}

export const LOOP_LIMITS: LoopLimits = {
  ...{ samplesMin: 200, windowsMin: 2, freshMs: 24 * 3_600_000, deviceShare: 0.25, outlierFactor: 3 },
  ...{ hysteresis: 1.02, clearGain: 1.15, coolDownMs: 10 * 60_000, settleMs: 10 * 60_000, buildsPerDay: 6 },
  predictionError: 0.15,
};

export type Numbers = Record<string, number | null>;

/** What called for it. */
export type Trigger = 'budget-missed' | 'better-candidate' | 'new-runtime' | 'new-version' | 'new-profile';

/** A step of the ladder that was passed over, and why. */
export interface Skipped {
  readonly rung: Rung;
  readonly reason: string;
}

export type Rung = 'int8' | 'runtime' | 'pruned-int8' | 'family';

export interface Told {
  readonly trigger: Trigger;
  readonly recipe: Recipe | null;
  readonly reason: string;
  readonly numbers: Numbers;
  readonly skipped: readonly Skipped[];
}

/** `measure`: a latency table is wanted. `try`: one device measures a build before any serves it. */
export type Proposal =
  | (Told & { kind: 'build' | 'measure'; recipe: Recipe })
  | (Told & { kind: 'try' | 'rollout' | 'ask' | 'rejected' | 'offered'; recipe: Recipe; variantId: string })
  | (Told & { kind: 'nothing-left'; variantId: string | null })
  | { kind: 'wait'; reason: string };

export type Action = Exclude<Proposal, { kind: 'wait' }>;

export const wait = (reason: string): Proposal => ({ kind: 'wait', reason });
