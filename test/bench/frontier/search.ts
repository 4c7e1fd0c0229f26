/** Search against the knapsack over widths, and against random search with as many evaluations; latency measured as int8. */

import { search as searchNetworks } from '@espalier/compression/architecture/search';
import { METHODS } from '@espalier/compression/architecture/searchers';
import { openDataset } from '@espalier/compression/data/dataset';
import { measureShare } from '@espalier/compression/latency/measure-share';
import { profileOps } from '@espalier/compression/latency/profile-ops';
import { orderPruning } from '@espalier/compression/prune/prunable';
import { type Bench, profile, type Row, rounded, SEED } from '../training/row.ts';
import { cifarSpec, Subject } from '../training/subject.ts';

const MODEL = 'cifar10-resnet20';
const EVALUATIONS = 60;
const LATENCY = 0.85;
const SAMPLES = 400;

export const search: Bench = {
  id: 'search-resnet20',
  long: true,
  async measure(data) {
    const opened = await Subject.open(data, MODEL);
    const feeding = { ...opened.feeding, batchSize: 32, limit: 300 };
    const subject = await orderPruning(opened.prepared, {
      ...{ importance: 'obs', alignment: profile.alignment, tied: false, seed: SEED, feeding },
      data: await openDataset(cifarSpec(data, SAMPLES)),
    });
    const options = { model: MODEL, profile, precision: 'int8' } as const;
    const table = await profileOps(subject, options);
    const rows: Row[] = [];
    for (const method of METHODS) {
      const found = await searchNetworks(subject, {
        ...{ table, latency: LATENCY, method, evaluations: EVALUATIONS, seed: SEED },
      });
      const measured = async (genome: readonly number[]) => {
        const graph = await found.build(genome);
        const share = await measureShare(subject, graph, options);
        return { ...(await opened.top1(graph)), share: rounded(100 * share) };
      };
      const best = await measured(found.best.genome);
      const knapsack = found.knapsack && (await measured(found.knapsack.genome));
      rows.push({
        ...{ id: `${this.id}-${method}`, value: rounded(best.top1), unit: '% top-1', n: best.n, seed: SEED },
        reference: `the knapsack over widths at ${100 * LATENCY}%: ${knapsack ? rounded(knapsack.top1) : 'none'}`,
        note: `${best.share}% of the latency as int8, the knapsack ${knapsack?.share ?? '-'}%; no training`,
      });
    }
    await opened.close();
    return rows;
  },
};
