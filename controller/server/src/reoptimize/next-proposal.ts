import { type Evidence, weigh } from './evidence.js';
import { refuse } from './judge-candidate.js';
import { type Cause, climb, judge, servedOf } from './ladder.js';
import { type LoopInput, type LoopVariant, type Proposal, wait } from './loop.types.js';

const DAY_MS = 24 * 3_600_000;

/**
 * What the loop does next for one model on one profile. Pure: the same facts at the same time give the same step. It acts
 * on windows that can be trusted, on enough devices, one thing at a time, and climbs the ladder float -> int8 -> another
 * runtime -> int8 with fewer channels -> a smaller model of the family -> nothing left.
 */
export function nextProposal(input: LoopInput, now: number): Proposal {
  const held = holdsStill(input, now);
  if (held) return wait(held);
  if (input.servingDigest === null) return firstBuild(input, now);
  if (input.budget.p95Us === null) return wait('the model has no latency budget');
  const evidence = weigh(input, now);
  if (typeof evidence === 'string') return wait(evidence);
  const cause = causeOf(input, evidence);
  if (evidence.missing >= evidence.needed) return climb(input, { ...cause, trigger: 'budget-missed' });
  return better(input, cause) ?? newRuntime(input, cause) ?? wait(whyContent(evidence));
}

/** What forbids any step now, or null. */
function holdsStill(input: LoopInput, now: number): string | null {
  const { policy, busy } = input;
  if (!policy.model) return 'automatic optimization is switched off for this model';
  if (!policy.profile) return 'automatic optimization is switched off for this profile of the model';
  if (busy) return `a ${busy} of this model is under way for this profile`;
  const until = coolDownEnd(input, now);
  return now < until ? `cools down for ${Math.ceil((until - now) / 1000)} s after the last attempt` : null;
}

/** Each build that was rolled back within a day doubles the quiet time. A rejected one changed nothing on a device. */
function coolDownEnd({ history, limits }: LoopInput, now: number): number {
  const back = history.filter(({ action, atMs }) => action === 'rolled-back' && now - atMs < DAY_MS);
  const [last] = back;
  return last ? last.atMs + limits.coolDownMs * 2 ** (back.length - 1) : 0;
}

function causeOf({ budget }: LoopInput, evidence: Evidence): Omit<Cause, 'trigger'> {
  const { p95Us, n, missing, measured, quarantined } = evidence;
  const left = quarantined.length > 0 ? `; left out as unlike the others: ${quarantined.join(', ')}` : '';
  return {
    p95Us,
    text:
      missing > 0
        ? `measured p95 ${p95Us} us misses the budget of ${budget.p95Us} us on ${missing} of ${measured} devices (n ${n}${left})`
        : `measured p95 ${p95Us} us meets the budget of ${budget.p95Us} us (n ${n}${left})`,
    numbers: {
      ...{ measuredP95Us: p95Us, budgetP95Us: budget.p95Us, samples: n, devicesOverBudget: missing },
      ...{ devicesMeasured: measured, devicesLeftOut: quarantined.length },
    },
  };
}

const whyContent = ({ missing, measured, needed }: Evidence): string =>
  missing > 0 ? `${missing} of ${measured} devices miss the budget, ${needed} needed` : 'the budget is met';

/** A build that is clearly faster and loses nothing against what serves: it replaces it though the budget is met. */
function better(input: LoopInput, cause: Omit<Cause, 'trigger'>): Proposal | null {
  const served = servedOf(input);
  if (!served) return null;
  const candidate = input.variants
    .filter((one) => beats(one, served, input) && !wasJudged(one, input))
    .toSorted((a, b) => (b.proofSpeedup ?? 0) - (a.proofSpeedup ?? 0))[0];
  if (!candidate) return null;
  const text = `${candidate.recipe} beats the ${served.recipe} that serves, at no loss`;
  return judge(candidate, input, { ...cause, trigger: 'better-candidate', text: `${cause.text}; ${text}` });
}

function beats(one: LoopVariant, served: LoopVariant, input: LoopInput): boolean {
  if (one.state !== 'ready' || one.id === served.id || refuse(one, input)) return false;
  if (one.proofSpeedup === null || served.proofSpeedup === null || one.accuracyDrop === null) return false;
  const loses = served.accuracyDrop === null || one.accuracyDrop > served.accuracyDrop;
  return !loses && one.proofSpeedup >= served.proofSpeedup * input.limits.clearGain;
}

/** Every build is sent out once: whatever came of it binds until the budget changes. */
const wasJudged = ({ id }: LoopVariant, { history }: LoopInput): boolean =>
  history.some(
    ({ variantId, action }) =>
      variantId === id && action !== 'build' && action !== 'approved' && action !== 'ask' && action !== 'try',
  );

/** What serves was proven with another runtime than the devices have now. */
function newRuntime(input: LoopInput, cause: Omit<Cause, 'trigger'>): Proposal | null {
  const served = servedOf(input);
  const { builderRuntime, runtimes, limits, buildsToday, variants } = input;
  if (!served?.runtime || served.runtime === builderRuntime || !runtimes.includes(builderRuntime)) return null;
  if (variants.some(({ recipe, runtime }) => recipe === served.recipe && runtime === builderRuntime)) return null;
  if (buildsToday >= limits.buildsPerDay) return null;
  const reason = `the devices have ${builderRuntime} now, ${served.recipe} was proven with ${served.runtime}`;
  return { kind: 'build', trigger: 'new-runtime', recipe: served.recipe, numbers: cause.numbers, skipped: [], reason };
}

/** Devices that serve no build of this version get one built as others have it; a person decides when it serves. */
function firstBuild({ unbuilt, variants, limits, buildsToday }: LoopInput, now: number): Proposal {
  if (!unbuilt) return wait('no device of this profile serves the model');
  const { why, recipe, sinceMs } = unbuilt;
  if (variants.some((one) => one.recipe === recipe)) return wait('it is built for this profile; a person rolls it out');
  const left = sinceMs + limits.settleMs - now;
  if (left > 0) return wait(`it is new: ${Math.ceil(left / 1000)} s are left to its owner`);
  if (buildsToday >= limits.buildsPerDay)
    return wait(`for tomorrow: ${buildsToday} builds were begun in the last 24 hours`);
  const serving =
    why === 'new-version' ? 'devices of this profile serve an earlier version' : 'other profiles serve it';
  const reason = `${serving} as ${recipe}, and there is no such build for this profile`;
  return { kind: 'build', trigger: why, recipe, numbers: {}, skipped: [], reason };
}
