import { z } from 'zod';

/**
 * One part of a network with early exits. It takes `input`, the feature map of the stage before, and gives `logits`, and
 * `feature` for the stage behind it.
 */
export const ExitStage = z.strictObject({
  file: z.string(),
  sha256: z.string().length(64),
  input: z.string(),
  logits: z.string(),
  /** null for the last stage. */
  feature: z.string().nullable(),
  /** Least confidence with which a sample ends here; null: all go on. The last stage has 0: all end. */
  threshold: z.number().min(0).max(1).nullable(),
  /** What the logits are divided by before the softmax of the confidence [Guo et al. 2017]. */
  temperature: z.number().positive(),
  /** Multiply-accumulates of a sample that ends here, from the input on. */
  macs: z.number().nonnegative(),
});
export type ExitStage = z.infer<typeof ExitStage>;

/** A network that is run stage by stage, and ends at the first one that is sure enough; `stages.json`, version 1. */
export const StagedModel = z.strictObject({
  version: z.literal(1),
  model: z.string(),
  classes: z.int().positive(),
  stages: z.array(ExitStage).min(2),
});
export type StagedModel = z.infer<typeof StagedModel>;

/** The largest share of softmax(logits / temperature). */
export function confidenceOf(logits: ArrayLike<number>, temperature: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < logits.length; at++) most = Math.max(most, logits[at] as number);
  let sum = 0;
  for (let at = 0; at < logits.length; at++) sum += Math.exp(((logits[at] as number) - most) / temperature);
  return 1 / sum;
}

/** True when a sample with these logits ends at a stage. Logits that are no numbers never end one early. */
export const endsHere = (
  { threshold, temperature, feature }: Pick<ExitStage, 'threshold' | 'temperature' | 'feature'>,
  logits: ArrayLike<number>,
): boolean => feature === null || (threshold !== null && confidenceOf(logits, temperature) >= threshold);
