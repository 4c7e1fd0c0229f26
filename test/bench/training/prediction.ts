/** How well a latency table says what networks cost that are not in it. */

import { openDataset } from '@espalier/compression/data/dataset';
import { randomFrom } from '@espalier/compression/data/feeds';
import { timedBuild } from '@espalier/compression/latency/plan';
import { profileOps, timingSamples } from '@espalier/compression/latency/profile-ops';
import { LatencyCosts } from '@espalier/compression/latency/table';
import { cutTo } from '@espalier/compression/prune/fit';
import { orderPruning, type Prunable } from '@espalier/compression/prune/prunable';
import { candidateWidths } from '@espalier/compression/prune/widths';
import { measurePair, speedupOf } from '@espalier/compression/recipe/latency';
import { Session } from '@espalier/compression/runtime/session';
import { type Bench, profile, rounded, SEED } from './row.ts';
import { cifarSpec, Subject } from './subject.ts';

const MODEL = 'mobilenetv2-96-cifar10';
const NETWORKS = 30;

/** A width for every group, drawn from those that the profile likes. */
function drawWidths({ groups, steps }: Prunable, random: () => number): Map<string, number> {
  return new Map(
    groups.map(({ id, channels }) => {
      const widths = candidateWidths(channels.length, steps.get(id)!);
      return [id, widths[Math.floor(random() * widths.length)]!];
    }),
  );
}

const quantile = (sorted: readonly number[], share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;

export const prediction: Bench = {
  id: 'prediction',
  async measure(data) {
    const opened = await Subject.open(data, MODEL);
    const subject = await orderPruning(opened.prepared, {
      ...{ importance: 'l2', alignment: profile.alignment, tied: false, seed: SEED },
      ...{ data: await openDataset(cifarSpec(data, 8)), feeding: { ...opened.feeding, batchSize: 2, limit: 8 } },
    });
    const started = performance.now();
    const options = { model: MODEL, profile, precision: 'int8' } as const;
    const table = await profileOps(subject, options);
    const tableSeconds = (performance.now() - started) / 1000;
    const costs = new LatencyCosts(table, subject.graph, subject.shapes);
    const samples = await timingSamples(subject);
    const open = async (graph: Prunable['graph']) =>
      Session.open(await timedBuild(graph, options, samples), MODEL, profile.session);
    const whole = await open(subject.graph);
    const random = randomFrom(SEED);
    const errors: number[] = [];
    for (let at = 0; at < NETWORKS; at++) {
      const cut = await cutTo(subject, drawWidths(subject, random));
      const session = await open(cut.graph);
      const pair = await measurePair(whole, session, samples[0]!.feeds);
      await session.dispose();
      const measured = 1 / speedupOf(pair, profile.session);
      const predicted = costs.of(cut.graph, cut.shapes) / table.anchorUs;
      errors.push(Math.abs(predicted - measured) / measured);
    }
    await Promise.all([whole.dispose(), opened.close()]);
    errors.sort((a, b) => a - b);
    const percent = (share: number): number => rounded(100 * quantile(errors, share));
    return [
      {
        ...{ id: this.id, value: percent(0.9), unit: '% error, p90', n: NETWORKS, seed: SEED },
        reference: 'the latency of the same build, measured beside the whole network',
        note: `median ${percent(0.5)} %; table of 7 uniform widths in ${rounded(tableSeconds)} s`,
      },
    ];
  },
};
