import type { SessionOptions } from '@espalier/proto';

/** A way to run a model: the CPUs split into workers of so many threads. */
export interface Setup {
  readonly workers: number;
  readonly threads: number;
  readonly spin: boolean;
  /** Adapter of the runtime; ONNX Runtime where it says nothing. */
  readonly runtime?: string | undefined;
}

/** What was found by measuring on this device: how the model runs best here. */
export interface ServingPlan extends Setup {
  /** Batch sizes proven to give every row what it gets alone, with the milliseconds each takes. */
  readonly curve: readonly (readonly [size: number, ms: number])[];
  /** Milliseconds of one row alone in the best setup of each runtime that was measured, by adapter. */
  readonly compared?: Readonly<Record<string, number>> | undefined;
  /** Why runtimes that this device has are not used, by adapter. */
  readonly refused?: Readonly<Record<string, string>> | undefined;
  /** Of another runtime's plan: the best one with ONNX Runtime, in which the model is served when the other fails. */
  readonly otherwise?: ServingPlan | undefined;
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

/** What is served when a plan's runtime has failed: the plan with ONNX Runtime, and why it is not the other. Null: as it came. */
export function withoutRuntime(plan: ServingPlan, cause: string): ServingPlan | null {
  if (plan.runtime === undefined || !plan.otherwise) return null;
  const { compared } = plan;
  return { ...plan.otherwise, compared, refused: { ...plan.refused, [plan.runtime]: cause } };
}

/** True when two setups open the same workers. */
export const isSameSetup = (a: Setup, b: Setup | null): boolean =>
  b !== null && a.workers === b.workers && a.threads === b.threads && a.spin === b.spin && a.runtime === b.runtime;
