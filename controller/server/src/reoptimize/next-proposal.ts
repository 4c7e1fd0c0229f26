import type { Recipe } from '@espalier/proto';
import { LADDER, type LoopInput, type LoopVariant, type Numbers, type Proposal } from './loop.types.js';

/**
 * What the loop does next for one model on one profile. Pure. It acts only on a measured p95 that misses the budget,
 * in windows that can be trusted, one thing at a time, and climbs the ladder float -> int8 -> int8 with fewer channels -> nothing left.
 */
export function nextProposal(input: LoopInput, now: number): Proposal {
  const missed = findMiss(input);
  if (typeof missed === 'string') return { kind: 'wait', reason: missed };
  if (input.busy) return { kind: 'wait', reason: `a ${input.busy} of this model is under way for this profile` };
  const coolUntilMs = coolDownEnd(input);
  if (now < coolUntilMs) {
    return { kind: 'wait', reason: `cools down for ${Math.ceil((coolUntilMs - now) / 1000)} s after the last attempt` };
  }
  const served = input.variants.find((variant) => variant.digest !== null && variant.digest === input.servingDigest);
  const numbers: Numbers = { measuredP95Us: missed.p95Us, budgetP95Us: missed.budgetUs, samples: missed.n };
  const miss = `measured p95 ${missed.p95Us} us misses the budget of ${missed.budgetUs} us (n ${missed.n}, ${missed.class})`;
  for (const recipe of LADDER.slice(rungOf(served) + 1)) {
    const proposal = tryRecipe(input, recipe, miss, numbers);
    if (proposal) return proposal;
  }
  return nothingLeft(input, miss, numbers);
}

interface Miss {
  readonly p95Us: number;
  readonly budgetUs: number;
  readonly n: number;
  readonly class: string;
}

/** The miss that calls for action, or why there is none. */
function findMiss(input: LoopInput): Miss | string {
  const { budget, latency, limits } = input;
  if (!input.autoOptimize) return 'automatic optimization is switched off for this model';
  if (budget.p95Us === null) return 'the model has no latency budget';
  if (input.devices === 0) return 'no device of this profile serves the model';
  if (!latency || latency.p95Us === null) return 'nothing measured yet';
  if (latency.class === 'unstable' || latency.class === 'throttled') return `the last windows were ${latency.class}`;
  if (latency.n < limits.samplesMin) return `${latency.n} samples so far, ${limits.samplesMin} needed`;
  if (latency.p95Us <= budget.p95Us) return 'the budget is met';
  if (latency.p95Us <= budget.p95Us * limits.hysteresis) return 'the budget is missed by less than the noise';
  return { p95Us: latency.p95Us, budgetUs: budget.p95Us, n: latency.n, class: latency.class };
}

function coolDownEnd(input: LoopInput): number {
  const last = input.decisions.find((decision) => ['rejected', 'rolled-back'].includes(decision.action));
  // A rejected build changed nothing on a device, so the ladder may be climbed on at once.
  return last?.action === 'rolled-back' ? last.atMs + input.limits.coolDownMs : 0;
}

/** A served build that is none of ours counts as float: the ladder starts above it. */
const rungOf = (served: LoopVariant | undefined): number => Math.max(0, LADDER.indexOf(served?.recipe ?? 'float'));

/** A proposal for one rung, or null when it is spent: rejected, rolled back, or failed and said so. */
function tryRecipe(input: LoopInput, recipe: Recipe, miss: string, numbers: Numbers): Proposal | null {
  const variant = input.variants.find((candidate) => candidate.recipe === recipe);
  if (!variant) return { kind: 'build', recipe, numbers, reason: `${miss}; ${recipe} is the next recipe` };
  const spent = input.decisions.some(
    (decision) => decision.variantId === variant.id && ['rejected', 'rolled-back'].includes(decision.action),
  );
  if (spent) return null;
  if (variant.state === 'building') return { kind: 'wait', reason: `${recipe} is being built` };
  const facts: Numbers = {
    ...numbers,
    accuracyDropPoints: variant.accuracyDrop,
    maxAccuracyDropPoints: input.budget.maxAccuracyDrop,
    proofSpeedup: variant.proofSpeedup,
    sizeBytes: variant.sizeBytes,
  };
  const refusal = refuse(input, variant);
  if (refusal) return { kind: 'rejected', variantId: variant.id, recipe, numbers: facts, reason: refusal };
  const drop = variant.accuracyDrop === null ? 'accuracy not evaluated' : besideFloat(variant.accuracyDrop);
  const speed =
    variant.proofSpeedup === null ? 'speed not measured here' : `${variant.proofSpeedup.toFixed(2)}x in the proof`;
  const reason = `${miss}; ${recipe} is ready: ${drop}, ${speed}`;
  return { kind: 'rollout', variantId: variant.id, recipe, numbers: facts, reason };
}

const besideFloat = (drop: number): string =>
  drop < 0 ? `${points(-drop)} points above float` : `${points(drop)} points below float`;
const points = (value: number): string => (Math.round(value * 100) / 100).toString();

/** Why a finished build may not go to devices, or null. */
function refuse(input: LoopInput, variant: LoopVariant): string | null {
  const { maxAccuracyDrop, maxSizeBytes } = input.budget;
  if (variant.state === 'failed') return `the ${variant.recipe} build failed: ${variant.note ?? 'see its job'}`;
  if (variant.method !== variant.recipe) return `the builder kept ${variant.method}: ${variant.note ?? 'no gain'}`;
  if (maxAccuracyDrop !== null && variant.accuracyDrop === null)
    return 'its accuracy was not evaluated, and the budget limits the drop';
  if (maxAccuracyDrop !== null && variant.accuracyDrop! > maxAccuracyDrop) {
    return `it loses ${points(variant.accuracyDrop!)} points, the budget allows ${maxAccuracyDrop}`;
  }
  if (variant.proofSpeedup !== null && variant.proofSpeedup <= 1) {
    return `it is not faster than float in the proof (${variant.proofSpeedup.toFixed(2)}x)`;
  }
  const before = input.variants.find(({ recipe }) => recipe === LADDER[LADDER.indexOf(variant.recipe) - 1]);
  if (variant.proofSpeedup !== null && before?.proofSpeedup && variant.proofSpeedup <= before.proofSpeedup) {
    return `it is not faster than ${before.recipe} (${variant.proofSpeedup.toFixed(2)}x of float, ${before.proofSpeedup.toFixed(2)}x)`;
  }
  if (maxSizeBytes !== null && variant.sizeBytes !== null && variant.sizeBytes > maxSizeBytes) {
    return `it has ${variant.sizeBytes} bytes, the budget allows ${maxSizeBytes}`;
  }
  return null;
}

/** Said once for a budget and the builds there are; a new build or another budget says it again. */
function nothingLeft(input: LoopInput, miss: string, numbers: Numbers): Proposal {
  if (input.decisions[0]?.action === 'nothing-left') return { kind: 'wait', reason: 'nothing is left to try' };
  const measured = input.variants.filter((variant) => variant.measuredP95Us !== null);
  const nearest = measured.toSorted((a, b) => a.measuredP95Us! - b.measuredP95Us!)[0];
  const gap = nearest && numbers.budgetP95Us ? nearest.measuredP95Us! / numbers.budgetP95Us : null;
  const tail = nearest
    ? `nearest is ${nearest.method} with p95 ${nearest.measuredP95Us} us, ${gap!.toFixed(2)}x the budget`
    : 'no build was measured on a device';
  return {
    kind: 'nothing-left',
    variantId: nearest?.id ?? null,
    recipe: nearest?.recipe ?? null,
    numbers: { ...numbers, nearestP95Us: nearest?.measuredP95Us ?? null },
    reason: `${miss}; no recipe is left: ${tail}`,
  };
}
