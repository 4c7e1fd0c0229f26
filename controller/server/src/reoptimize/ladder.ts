/** The ladder of recipes: which step is next, and why those before it were passed over. Pure. */
import type { Recipe } from '@espalier/proto';
import { besideFloat, figuresOf, inProof, refuse } from './judge-candidate.js';
import {
  LADDER,
  type LoopInput,
  type LoopVariant,
  type Numbers,
  type Proposal,
  type Rung,
  type Skipped,
  type Told,
  type Trigger,
  wait,
} from './loop.types.js';

/** Why the ladder is climbed. */
export interface Cause {
  readonly trigger: Trigger;
  readonly text: string;
  readonly numbers: Numbers;
  /** Of the worst device that counts. */
  readonly p95Us: number;
}

type Step = Proposal | { readonly skip: string };

const RUNGS: readonly Rung[] = ['int8', 'runtime', 'pruned-int8', 'family'];
/** Fewer samples can neither be fitted to nor judged on. */
const SAMPLES_MIN = 200;
/** Tables that are asked for under one budget. */
const TABLES_MAX = 3;
const ENDED = ['rejected', 'rolled-back', 'offered', 'declined'];

/** A served build that is none of ours counts as float: the ladder starts above it. */
const placeOf = (recipe: Recipe | undefined): number => Math.max(0, LADDER.indexOf(recipe ?? 'float'));

/** The first step that is not spent, or `nothing-left`. */
export function climb(input: LoopInput, cause: Cause): Proposal {
  const served = servedOf(input);
  const undone = replacedSince(input, served);
  if (undone) return wait(undone);
  const skipped: Skipped[] = [];
  for (const rung of RUNGS) {
    const step = stepAt(rung, placeOf(served?.recipe), input, cause);
    if (!('skip' in step)) return step.kind === 'wait' ? step : { ...step, skipped };
    skipped.push({ rung, reason: step.skip });
  }
  return nothingLeft(input, cause, skipped);
}

/** What the loop promoted and devices do not serve any more was a person's wish, or devices that were away: both are theirs. */
function replacedSince({ history, variants }: LoopInput, served: LoopVariant | undefined): string | null {
  const last = history.find(({ action }) => action === 'promoted' || action === 'rolled-back');
  if (last?.action !== 'promoted' || last.variantId === served?.id) return null;
  const recipe = variants.find(({ id }) => id === last.variantId)?.recipe;
  return `${recipe ?? 'a build'} was promoted and devices serve ${served?.recipe ?? 'another one'} again: a person rolls it out to them`;
}

export const servedOf = ({ variants, servingDigest }: LoopInput): LoopVariant | undefined =>
  variants.find(({ digest }) => digest !== null && digest === servingDigest);

function stepAt(rung: Rung, served: number, input: LoopInput, cause: Cause): Step {
  switch (rung) {
    case 'int8':
      return served >= LADDER.indexOf('int8')
        ? { skip: 'int8 or better serves already' }
        : tryRecipe('int8', input, cause);
    case 'runtime':
      return { skip: runtimeReason(input) };
    case 'pruned-int8':
      return served >= LADDER.indexOf('pruned-int8') ? { skip: 'it serves already' } : prune(input, cause);
    case 'family':
      return { skip: familyReason(input) };
  }
}

/**
 * The runtime is the devices' own choice, by measurement: there is nothing to build or to roll out. What they chose is said, and
 * where another runtime of theirs has no file of what they serve, that is said and left to people.
 */
function runtimeReason(input: LoopInput): string {
  const { runtimes, builderRuntime, servedBy } = input;
  const adapterOf = (runtime: string): string => runtime.split(' ')[0]!;
  const builder = adapterOf(builderRuntime);
  const others = runtimes.filter((one) => adapterOf(one) !== builder);
  if (others.length === 0) return `the devices have no other runtime than ${runtimes.join(', ') || builderRuntime}`;
  const files = servedOf(input)?.otherRuntimes ?? [];
  const chosen = files.filter((adapter) => others.some((one) => adapterOf(one) === adapter));
  if (chosen.length === 0)
    return `builds are served by ${builderRuntime} only; the devices also have ${others.join(', ')}`;
  const measured = Object.values(servedBy).reduce((sum, count) => sum + count, 0);
  const counts = chosen.map((adapter) => `${adapter} serves on ${servedBy[adapter] ?? 0} of ${measured}`);
  return `devices choose between ${[builder, ...chosen].join(' and ')} by measurement: ${counts.join(', ')}`;
}

function familyReason({ family }: LoopInput): string {
  const [smallest] = family.toSorted((a, b) => a.sizeShare - b.sizeShare);
  return smallest
    ? `${smallest.name} has the same labels at ${Math.round(100 * smallest.sizeShare)}% of the size; which model serves is its owner's choice`
    : 'no smaller model with the same labels is registered';
}

/** Fewer channels, chosen along what a device of the profile measured. */
function prune(input: LoopInput, cause: Cause): Step {
  const { data, table, budget } = input;
  const last = newestOf('pruned-int8', input);
  const isMisled = last !== undefined && predictionError(last) > input.limits.predictionError;
  if (last && !(isMisled && endOf(last, input))) return tryRecipe('pruned-int8', input, cause);
  if (data.samples < SAMPLES_MIN)
    return { skip: `it takes ${SAMPLES_MIN} calibration samples, there are ${data.samples}` };
  if (table.state === 'measuring') return wait(`for the latency table: ${table.reason}`);
  const wanted = whyMeasure(input, last);
  if (wanted) return measureTable(wanted, cause);
  if (last && table.state === 'unavailable') return { skip: 'a device measured it far from its prediction' };
  const floorUs = table.narrowestUs;
  if (floorUs !== null && budget.p95Us !== null && floorUs > budget.p95Us)
    return { skip: `by the table the narrowest network still takes ${Math.round(floorUs)} us` };
  return build('pruned-int8', input, cause);
}

/** Why a device must measure a table before anything is built, or null; what was asked for in vain is not asked again. */
function whyMeasure({ table, history }: LoopInput, misled: LoopVariant | undefined): string | null {
  if (table.state === 'unavailable') return null;
  if (history.filter(({ action }) => action === 'measure').length >= TABLES_MAX) return null;
  if (table.state === 'absent') return 'there is no latency table yet';
  if (table.state === 'stale') return `the latency table is stale (${table.reason})`;
  const isOlder = misled !== undefined && (table.measuredAtMs ?? 0) <= misled.createdAtMs;
  return isOlder ? 'the latency table misled the last build' : null;
}

const measureTable = (why: string, { trigger, numbers, text }: Cause): Proposal => ({
  ...{ kind: 'measure', trigger, recipe: 'pruned-int8', numbers, skipped: [] },
  reason: `${text}; ${why}: devices of the profile measure one`,
});

/** A proposal for one recipe, or why it is spent: rejected, rolled back, declined, or failed and said so. */
function tryRecipe(recipe: Recipe, input: LoopInput, cause: Cause): Step {
  const variant = newestOf(recipe, input);
  if (!variant) return build(recipe, input, cause);
  const end = endOf(variant, input);
  if (end) return { skip: `${recipe} was ${end}` };
  if (variant.state === 'building') return wait(`${recipe} is being built`);
  const short = refuse(variant, input) ? null : fallsShort(variant, input, cause);
  return short ? { skip: short } : judge(variant, input, cause);
}

/** Why a canary of this build would be stopped by the budget, by what the proof says of it and of what serves; or null. */
function fallsShort(variant: LoopVariant, input: LoopInput, { p95Us }: Cause): string | null {
  const [budgetUs, served] = [input.budget.p95Us, servedOf(input)?.proofSpeedup ?? null];
  if (budgetUs === null || served === null || variant.proofSpeedup === null) return null;
  const expectedUs = (p95Us * served) / variant.proofSpeedup;
  if (expectedUs <= budgetUs * (1 + input.limits.predictionError)) return null;
  return `${variant.recipe} is not fast enough: by its proof the p95 would be ${Math.round(expectedUs)} us`;
}

function build(recipe: Recipe, { buildsToday, limits }: LoopInput, { trigger, numbers, text }: Cause): Proposal {
  if (buildsToday >= limits.buildsPerDay)
    return wait(`for tomorrow: ${buildsToday} builds were begun in the last 24 hours`);
  return { kind: 'build', trigger, recipe, numbers, skipped: [], reason: `${text}; ${recipe} is the next recipe` };
}

const endOf = ({ id }: LoopVariant, { history }: LoopInput): string | null =>
  history.find(({ action, variantId }) => variantId === id && ENDED.includes(action))?.action ?? null;

const predictionError = ({ predictedUs, trialUs }: LoopVariant): number =>
  predictedUs === null || trialUs === null ? 0 : Math.abs(trialUs / predictedUs - 1);

const newestOf = (recipe: Recipe, { variants }: LoopInput): LoopVariant | undefined =>
  variants.filter((one) => one.recipe === recipe).toSorted((a, b) => b.createdAtMs - a.createdAtMs)[0];

/** A finished build: refused, tried on one device, or on its way to all. */
export function judge(variant: LoopVariant, input: LoopInput, cause: Cause): Proposal {
  const { trigger, text } = cause;
  const { id: variantId, recipe, predictedUs, trialUs } = variant;
  const numbers = { ...cause.numbers, ...figuresOf(variant, input) };
  const told = { trigger, recipe, variantId, numbers, skipped: [] };
  const refusal = refuse(variant, input);
  if (refusal) return { ...told, ...refusal };
  const did = (action: string): boolean =>
    input.history.some((past) => past.action === action && past.variantId === variantId);
  if (predictedUs !== null && trialUs === null && variant.trial === 'none')
    return { ...told, kind: 'try', reason: `${text}; ${recipe} is ready, predicted at ${Math.round(predictedUs)} us` };
  if (predictedUs !== null && trialUs === null && variant.trial === 'open')
    return wait(`for a device of the profile to measure ${recipe}`);
  if (predictedUs !== null && trialUs !== null && predictionError(variant) > input.limits.predictionError)
    return mispredicted(told, trialUs / predictedUs - 1, input);
  const reason = `${text}; ${recipe} is ready: ${besideFloat(variant.accuracyDrop)}, ${inProof(variant.proofSpeedup)}`;
  if (!input.policy.approval || did('approved')) return { ...told, kind: 'rollout', reason };
  if (did('ask')) return wait(`for a person to approve ${recipe}`);
  return { ...told, kind: 'ask', reason: `${reason}; a person must approve it` };
}

/** The table told of another machine than this one: the build is no answer to the budget, and the table is measured anew. */
function mispredicted(
  told: Omit<Told, 'reason' | 'recipe'> & { readonly recipe: Recipe; readonly variantId: string },
  error: number,
  { limits }: LoopInput,
): Proposal {
  const [off, allowed] = [Math.round(100 * error), Math.round(100 * limits.predictionError)];
  const reason = `a device measured it ${off > 0 ? '+' : ''}${off}% off the prediction (${allowed}% allowed): back to the table`;
  return { ...told, kind: 'rejected', reason };
}

/** Said once for a budget and the builds there are; a new build or another budget says it again. */
function nothingLeft(input: LoopInput, { text, numbers, trigger }: Cause, skipped: readonly Skipped[]): Proposal {
  if (input.history[0]?.action === 'nothing-left') return wait('nothing is left to try');
  const measured = input.variants.flatMap((one) =>
    one.measuredP95Us === null ? [] : [{ one, us: one.measuredP95Us }],
  );
  const nearest = measured.toSorted((a, b) => a.us - b.us)[0];
  const budgetUs = input.budget.p95Us;
  const gap = nearest && budgetUs ? `, ${(nearest.us / budgetUs).toFixed(2)}x the budget` : '';
  const tail = nearest
    ? `nearest is ${nearest.one.method} with p95 ${nearest.us} us${gap}`
    : 'no build was measured on a device';
  return {
    ...{
      kind: 'nothing-left',
      trigger,
      skipped,
      variantId: nearest?.one.id ?? null,
      recipe: nearest?.one.recipe ?? null,
    },
    numbers: { ...numbers, nearestP95Us: nearest?.us ?? null },
    reason: `${text}; no recipe is left: ${tail}`,
  };
}
