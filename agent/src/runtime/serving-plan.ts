import type { SessionOptions } from '@espalier/proto';

/** What was found by measuring on this device: how the model runs best here. */
export interface ServingPlan {
  readonly workers: number;
  readonly threads: number;
  readonly spin: boolean;
  /** Batch sizes proven to give every row what it gets alone, with the milliseconds each takes. */
  readonly curve: readonly (readonly [size: number, ms: number])[];
}

/** The session options a model came with, with what the plan puts in their place. */
export const withPlan = (options: SessionOptions, plan: ServingPlan | null): SessionOptions =>
  plan === null
    ? options
    : {
        ...options,
        intraOpNumThreads: plan.threads,
        extra: { ...options.extra, 'session.intra_op.allow_spinning': plan.spin ? '1' : '0' },
      };
