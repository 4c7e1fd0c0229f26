/**
 * Whether it pays that every kind of hardware has a table of its own: widths chosen along the table of one build, timed in
 * another. The builds of this machine that differ most are int8, whose cost is nearly a line, and float32, whose kernels
 * count channels in blocks. Both choices lose the same by the measure that they go by.
 */
import { openDataset } from '@espalier/compression/data/dataset';
import { measureShare } from '@espalier/compression/latency/measure-share';
import { profileOps } from '@espalier/compression/latency/profile-ops';
import { LatencyCosts } from '@espalier/compression/latency/table';
import { alignmentOf } from '@espalier/compression/prune/curves';
import { type Cut, cutToBudget } from '@espalier/compression/prune/fit';
import { orderPruning, type Prunable } from '@espalier/compression/prune/prunable';
import { profile, SEED } from '../training/row.ts';
import { cifarSpec, Subject } from '../training/subject.ts';
import { errorOf } from './choice.ts';
import { type LoopBench, type Row, rounded } from './row.ts';

const MODEL = 'mobilenetv2-96-cifar10';
const SHARE = 0.7;
/** Halvings of the budget until two choices lose alike. */
const HALVINGS = 8;
const PRECISIONS = ['int8', 'float32'] as const;
type Precision = (typeof PRECISIONS)[number];

interface Side {
  readonly precision: Precision;
  readonly subject: Prunable;
  readonly costs: LatencyCosts;
}

async function sideOf(opened: Subject, data: string, precision: Precision): Promise<Side> {
  const subject = await orderPruning(opened.prepared, {
    ...{ importance: 'obs', alignment: alignmentOf(profile.alignment, precision === 'int8'), tied: false, seed: SEED },
    ...{ data: await openDataset(cifarSpec(data, 300)), feeding: opened.feeding },
  });
  const table = await profileOps(subject, { model: MODEL, profile, precision });
  return { precision, subject, costs: new LatencyCosts(table, subject.graph, subject.shapes) };
}

/** The narrowest choice along a table that loses no more than `most`. */
async function cutLosing({ subject, costs }: Side, most: number): Promise<Cut> {
  let [low, high] = [SHARE / 2, 1];
  let best = await cutToBudget(subject, high, costs);
  for (let at = 0; at < HALVINGS; at++) {
    const share = (low + high) / 2;
    const cut = await cutToBudget(subject, share, costs).catch(() => null);
    if (cut && errorOf(subject, cut.widths) <= most) [best, high] = [cut, share];
    else low = share;
  }
  return best;
}

/** Own over foreign latency on one side, both measured against the whole network. */
async function compare(own: Side, foreign: Side): Promise<Row> {
  const { subject, precision } = own;
  const chosen = await cutToBudget(subject, SHARE, own.costs);
  const other = await cutLosing(foreign, errorOf(subject, chosen.widths));
  const build = { profile, precision };
  const shares = [
    await measureShare(subject, chosen.graph, build),
    await measureShare(subject, other.graph, build),
  ] as const;
  const differing = subject.groups.filter(({ id }) => chosen.widths.get(id) !== other.widths.get(id)).length;
  return {
    ...{ id: 'heterogeneity', value: rounded(shares[0] / shares[1]), unit: 'own over foreign', bar: '<= 0.95' },
    ...{ n: subject.groups.length, seed: SEED },
    note:
      `${MODEL} in ${precision}: ${shares[0].toFixed(3)} of the whole network's latency by its own table, ` +
      `${shares[1].toFixed(3)} by that of ${foreign.precision} at the same error; ${differing} of the groups differ`,
  };
}

export const heterogeneity: LoopBench = {
  ids: ['heterogeneity'],
  needsData: true,
  async measure(data) {
    const opened = await Subject.open(data, MODEL);
    const [int8, float32] = [await sideOf(opened, data, 'int8'), await sideOf(opened, data, 'float32')];
    const rows = [await compare(int8, float32), await compare(float32, int8)];
    await opened.close();
    return rows;
  },
};
