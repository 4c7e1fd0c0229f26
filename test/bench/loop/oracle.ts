/**
 * The widths that are chosen along a measured table, against the fastest of 200 other choices that lose no more by the same
 * measure: the error of removal that the choice itself goes by. All are measured beside the chosen one, in int8.
 */
import { openDataset } from '@espalier/compression/data/dataset';
import { randomFrom } from '@espalier/compression/data/feeds';
import { timedBuild } from '@espalier/compression/latency/plan';
import { profileOps, timingSamples } from '@espalier/compression/latency/profile-ops';
import { LatencyCosts } from '@espalier/compression/latency/table';
import { cutTo, cutToBudget } from '@espalier/compression/prune/fit';
import { orderPruning, type Prunable } from '@espalier/compression/prune/prunable';
import { candidateWidths } from '@espalier/compression/prune/widths';
import { measurePair } from '@espalier/compression/recipe/latency';
import { Session } from '@espalier/compression/runtime/session';
import { profile } from '../training/row.ts';
import { cifarSpec, Subject } from '../training/subject.ts';
import { errorOf, type Widths } from './choice.ts';
import { type LoopBench, rounded } from './row.ts';

const MODEL = 'cifar10-resnet20';
const CANDIDATES = 200;
const SEED = 1;
/** A group moves at most so many steps away from the chosen width, half of the time; else it may have any. */
const NEAR_STEPS = 2;
/** Candidates that are measured again before one counts as the fastest: the least of many noisy figures is too small. */
const AGAIN = 5;

/** A width for each group, near those chosen or anywhere among those that the profile likes. */
function draw({ groups, steps }: Prunable, chosen: Widths, random: () => number): Widths {
  const isNear = random() < 0.5;
  return new Map(
    groups.map(({ id, channels }) => {
      const widths = candidateWidths(channels.length, steps.get(id)!);
      const at = widths.indexOf(chosen.get(id)!);
      const step = Math.round((2 * random() - 1) * NEAR_STEPS);
      const place = isNear ? at + step : Math.floor(random() * widths.length);
      return [id, widths[Math.min(widths.length - 1, Math.max(0, place))]!];
    }),
  );
}

/** The share of the latency half-way between the whole network and the narrowest there is. */
async function halfWay(subject: Prunable, costs: LatencyCosts): Promise<number> {
  const { groups, steps, graph, shapes } = subject;
  const narrowest = groups.map(
    ({ id, channels }) => [id, candidateWidths(channels.length, steps.get(id)!)[0]!] as const,
  );
  const cut = await cutTo(subject, new Map(narrowest));
  return (1 + costs.of(cut.graph, cut.shapes) / costs.of(graph, shapes)) / 2;
}

/** Candidates that lose no more than the chosen widths, each once. Draws until there are enough. */
function candidates(subject: Prunable, chosen: Widths): Widths[] {
  const random = randomFrom(SEED);
  const most = errorOf(subject, chosen);
  const found = new Map<string, Widths>();
  for (let tries = 0; found.size < CANDIDATES && tries < 1000 * CANDIDATES; tries++) {
    const widths = draw(subject, chosen, random);
    if (errorOf(subject, widths) <= most) found.set(JSON.stringify([...widths]), widths);
  }
  found.delete(JSON.stringify([...chosen]));
  return [...found.values()];
}

export const oracle: LoopBench = {
  ids: ['oracle'],
  long: true,
  needsData: true,
  async measure(data) {
    const opened = await Subject.open(data, MODEL);
    const subject = await orderPruning(opened.prepared, {
      ...{ importance: 'obs', alignment: profile.alignment, tied: false, seed: SEED },
      ...{ data: await openDataset(cifarSpec(data, 128)), feeding: { ...opened.feeding, batchSize: 2, limit: 128 } },
    });
    const options = { model: MODEL, profile, precision: 'int8' } as const;
    const table = await profileOps(subject, options);
    const samples = await timingSamples(subject);
    const open = async (widths: Widths): Promise<Session> => {
      const { graph } = await cutTo(subject, widths);
      return Session.open(await timedBuild(graph, options, samples), MODEL, profile.session);
    };
    const costs = new LatencyCosts(table, subject.graph, subject.shapes);
    const share = await halfWay(subject, costs);
    const { widths: chosen } = await cutToBudget(subject, share, costs);
    const best = await open(chosen);
    /** How much slower than a candidate the chosen network is, in percent of processor time. */
    const behind = async (widths: Widths): Promise<number> => {
      const session = await open(widths);
      const { cpuUs } = await measurePair(best, session, samples[0]!.feeds);
      await session.dispose();
      return 100 * (cpuUs.float / cpuUs.variant - 1);
    };
    const all = candidates(subject, chosen);
    const first: { widths: Widths; percent: number }[] = [];
    for (const widths of all) first.push({ widths, percent: await behind(widths) });
    const fastest = first.toSorted((a, b) => b.percent - a.percent).slice(0, AGAIN);
    const again: number[] = [];
    for (const { widths } of fastest) again.push(await behind(widths));
    await Promise.all([best.dispose(), opened.close()]);
    const value = rounded(Math.max(0, ...again));
    const note = `${MODEL} at ${share.toFixed(2)} of its latency by the table; once measured, the fastest was ahead by ${fastest[0]?.percent.toFixed(1)} %`;
    return [{ id: 'oracle', value, unit: '% slower than the best', bar: '<= 3', n: all.length, seed: SEED, note }];
  },
};
