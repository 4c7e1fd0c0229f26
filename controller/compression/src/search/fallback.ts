/** Which nodes of an int8 build get more than 8 bits: measured for what they bring and what they cost, under budgets and a time. */

import { RELIEVED, reliefOf } from '../quantize/relief.js';
import { missedBy, misses, NO_BUDGETS } from './budgets.js';
import { Builds, type FallbackOptions, type Tried } from './builds.js';
import { figuresOf, type Point } from './points.js';
import { type Prices, pricesOf } from './price.js';
import { byWorth, type Group, groupsOf, type Measured, noiseOf } from './rank.js';
import { Meter, measureGroups } from './sensitivity.js';

export interface Fallback {
  readonly tried: readonly Tried[];
  readonly notes: readonly string[];
}

/** Share of the time that finding out what each node brings may take. */
const MEASURING_SHARE = 0.5;

/** Builds and measures int8 with more and more nodes relieved, the worthiest first. The first one tried has none. */
export async function walkFallback(options: FallbackOptions): Promise<Fallback> {
  const { found, deadline } = options;
  const groups = groupsOf(found.float, found.plan);
  const prices = await pricesOf({
    ...{ graph: found.float, int8: found.best.graph, groups },
    ...{ profile: options.profile, feeds: options.judge.feeds, isHere: options.isHere },
  });
  const builds = new Builds(options, prices);
  const { point } = await builds.measure([]);
  const relief = reliefOf(options.profile);
  if (relief === null) {
    return { tried: builds.tried, notes: [`${options.profile.id} computes with 8 bits only, so no node has more.`] };
  }
  const turn = new Turn(options, RELIEVED[relief]);
  const why = turn.whyNone(point);
  if (why) return { tried: builds.tried, notes: [why] };
  const meter = await Meter.open(found);
  const all = await measureGroups(found, meter, groups, prices, deadline.part(MEASURING_SHARE));
  const ranked = byWorth(all);
  await climb(builds, meter, ranked, turn, options);
  await trim(builds, ranked, options);
  const notes = [noteOf(groups, all, ranked, prices, RELIEVED[relief])];
  return { tried: builds.tried, notes };
}

/** Less SQNR than this a node does not bring, so it does not earn its place. */
const EARNED_DB = 0.05;
const EARNED = 1 - noiseOf(EARNED_DB);
/** Groups that would break a budget of time, after which no cheaper one is looked for. */
const TOO_SLOW_MAX = 3;

/** Adds the ranked groups one after the other, those that bring something beside the ones before, until a budget turns. */
async function climb(
  builds: Builds,
  meter: Meter,
  ranked: readonly Measured[],
  turn: Turn,
  { deadline, found }: FallbackOptions,
): Promise<void> {
  let noise = await meter.noise(found.best.graph);
  let [kept, slow]: [readonly Measured[], number] = [[], 0];
  for (const next of ranked) {
    if (deadline.isOver() || slow > TOO_SLOW_MAX) return;
    const more = [...kept, next];
    const lower = await meter.relieved(more.map(({ group }) => group));
    if (lower === null || lower > noise * (1 - EARNED)) continue;
    const { point } = await builds.measure(more);
    if (turn.isSlow(point)) slow++;
    else [kept, noise] = [more, lower];
    if (turn.isDone(point)) return;
  }
}

/** Where the budgets turn the search round. */
class Turn {
  constructor(
    private readonly options: Pick<FallbackOptions, 'budgets' | 'floatBytes'>,
    private readonly relief: string,
  ) {}

  /** No time is left to spend on accuracy. */
  isSlow(point: Point): boolean {
    const { latencyUs, speedup } = misses(figuresOf(point, this.options.floatBytes), this.options.budgets);
    return point.load >= 1 || latencyUs !== undefined || speedup !== undefined;
  }

  /** An accuracy is all that is asked for, and it is there. */
  isDone(point: Point): boolean {
    const { budgets, floatBytes } = this.options;
    const onlyAccuracy = budgets.latencyUs === null && budgets.speedup === null && budgets.maxDrop !== null;
    return (
      onlyAccuracy &&
      misses(figuresOf(point, floatBytes), { ...NO_BUDGETS, maxDrop: budgets.maxDrop }).maxDrop === undefined
    );
  }

  /** Why no node is to be relieved, or null. */
  whyNone(plain: Point): string | null {
    if (this.isDone(plain)) return `int8 throughout keeps to the accuracy, so no node was left ${this.relief}.`;
    return this.isSlow(plain) ? `int8 throughout has no time to spare, so no node was left ${this.relief}.` : null;
  }
}

/** Builds beyond this many are not tried to spare single nodes of a set. */
const TRIMMED_MAX = 6;

/** Each node of the set that would be taken must earn its place: without it the build is worse, or it goes. */
async function trim(builds: Builds, ranked: readonly Measured[], { budgets, floatBytes, deadline }: FallbackOptions) {
  const isMet = ({ point }: Tried): boolean => missedBy(figuresOf(point, floatBytes), budgets) === 0;
  const meeting = builds.tried.filter((one) => isMet(one) && one.point.load < 1);
  const onlyAccuracy = budgets.latencyUs === null && budgets.speedup === null && budgets.maxDrop !== null;
  if (meeting.length === 0) return;
  let best = meeting.reduce((a, b) =>
    (onlyAccuracy ? b.point.load < a.point.load : b.point.sqnrDb > a.point.sqnrDb) ? b : a,
  );
  const held = ranked.filter((one) => best.groups.includes(one));
  if (held.length < 2) return;
  let kept = held;
  for (const candidate of [...held].reverse().slice(0, TRIMMED_MAX)) {
    if (deadline.isOver() || kept.length < 2) return;
    const fewer = kept.filter((one) => one !== candidate);
    const tried = await builds.measure(fewer);
    const isEnough = onlyAccuracy ? isMet(tried) : tried.point.sqnrDb > best.point.sqnrDb - EARNED_DB;
    if (isEnough && tried.point.load <= best.point.load) [best, kept] = [tried, fewer];
  }
}

function noteOf(
  groups: readonly Group[],
  all: readonly Measured[],
  ranked: readonly Measured[],
  { from }: Prices,
  relief: string,
): string {
  const top = ranked.slice(0, 3).map(({ group, gain }) => `${group.name} ${(100 * gain).toFixed(0)} %`);
  const noisiest = top.length > 0 ? `; most of the outputs’ noise comes from ${top.join(', ')}` : '';
  const over = all.length < groups.length ? ' before the time was over' : '';
  return `Of ${groups.length} int8 nodes ${Math.min(all.length, groups.length)} were left ${relief} one at a time${over}${noisiest}. Prices: ${from}.`;
}
