/** What a finished build is worth: rolled out, rejected, or offered to a person. Pure. */
import { LADDER, type LoopInput, type LoopVariant, type Numbers } from './loop.types.js';

/** Below so many labelled samples the pruned build is not trained. */
const LABELLED_MIN = 1000;

export const points = (value: number): string => (Math.round(value * 100) / 100).toString();
export const besideFloat = (drop: number | null): string =>
  drop === null
    ? 'accuracy not evaluated'
    : drop < 0
      ? `${points(-drop)} points above float`
      : `${points(drop)} points below float`;
export const inProof = (speedup: number | null): string =>
  speedup === null ? 'speed not measured here' : `${speedup.toFixed(2)}x in the proof`;

export const figuresOf = (variant: LoopVariant, input: LoopInput): Numbers => ({
  accuracyDropPoints: variant.accuracyDrop,
  maxAccuracyDropPoints: input.budget.maxAccuracyDrop,
  proofSpeedup: variant.proofSpeedup,
  sizeBytes: variant.sizeBytes,
  predictedP50Us: variant.predictedUs,
  trialP50Us: variant.trialUs,
});

export interface Refusal {
  readonly kind: 'rejected' | 'offered';
  readonly reason: string;
}

/** Why a finished build may not go to devices by itself, or null. */
export function refuse(variant: LoopVariant, input: LoopInput): Refusal | null {
  const reason = unfit(variant) ?? tooSlow(variant, input) ?? tooLarge(variant, input);
  if (reason) return { kind: 'rejected', reason };
  return lossy(variant, input);
}

function unfit({ state, recipe, method, note, doubt }: LoopVariant): string | null {
  if (state === 'failed') return `the ${recipe} build failed: ${note ?? 'see its job'}`;
  if (doubt) return doubt;
  return method === recipe ? null : `the builder kept ${method}: ${note ?? 'no gain'}`;
}

function tooSlow({ recipe, proofSpeedup }: LoopVariant, { variants }: LoopInput): string | null {
  if (proofSpeedup === null || recipe === 'float') return null;
  if (proofSpeedup <= 1) return `it is not faster than float in the proof (${proofSpeedup.toFixed(2)}x)`;
  const before = variants.find((one) => one.recipe === LADDER[LADDER.indexOf(recipe) - 1]);
  if (!before?.proofSpeedup || proofSpeedup > before.proofSpeedup) return null;
  const [own, other] = [proofSpeedup.toFixed(2), before.proofSpeedup.toFixed(2)];
  return `it is not faster than ${before.recipe} (${own}x of float, ${other}x)`;
}

function tooLarge({ sizeBytes }: LoopVariant, { budget: { maxSizeBytes } }: LoopInput): string | null {
  if (maxSizeBytes === null || sizeBytes === null || sizeBytes <= maxSizeBytes) return null;
  return `it has ${sizeBytes} bytes, the budget allows ${maxSizeBytes}`;
}

/** A pruned build that could not be trained for want of labels is a person's choice: it costs what it costs. */
function lossy(variant: LoopVariant, { budget, data }: LoopInput): Refusal | null {
  const { accuracyDrop, recipe } = variant;
  const { maxAccuracyDrop } = budget;
  if (maxAccuracyDrop === null) return null;
  if (accuracyDrop === null)
    return { kind: 'rejected', reason: 'its accuracy was not evaluated, and the budget limits the drop' };
  if (accuracyDrop <= maxAccuracyDrop) return null;
  const lost = `it loses ${points(accuracyDrop)} points, the budget allows ${maxAccuracyDrop}`;
  if (recipe !== 'pruned-int8' || data.labelled) return { kind: 'rejected', reason: lost };
  const unlocked = `${LABELLED_MIN} labelled samples would let it be distilled from the whole model`;
  return {
    kind: 'offered',
    reason: `${lost} (agreement with float, refitted and not trained), at ${inProof(variant.proofSpeedup)}; ${unlocked}`,
  };
}
