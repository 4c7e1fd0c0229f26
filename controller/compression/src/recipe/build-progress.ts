import type { BuildOptions } from './options.js';

const STEPS = ['read', 'quantize', 'evaluate', 'measure', 'write'] as const;
/** Share of the whole at which each step starts, from builds of the sample. */
const STARTS = [0, 0.05, 0.5, 0.8, 0.97, 1];

export type Step = (typeof STEPS)[number];
export type Tell = (step: Step, share: number, message?: string, loss?: number | null) => void;

/** Turns the steps of a build into one bar that never goes back. */
export function progressOf({ onProgress, signal }: BuildOptions): Tell {
  let done = 0;
  return (step, share, message, loss = null) => {
    signal?.throwIfAborted();
    const stepIndex = STEPS.indexOf(step);
    const [start, end] = [STARTS[stepIndex]!, STARTS[stepIndex + 1]!];
    // A proof that is run again, for the float build, does not move the bar back.
    done = Math.max(done, start + (end - start) * share);
    const told = { ...(message ? { message } : {}), ...(loss === null ? {} : { loss }) };
    onProgress?.({ step, stepIndex, steps: STEPS.length, fraction: done, ...told });
  };
}
