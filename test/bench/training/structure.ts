/** What a cut is worth in time, before any training: the profile's alignment against none. */
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { readChecked } from '@espalier/compression/inspect';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { type Alignment, alignmentOf } from '@espalier/compression/prune/curves';
import { orderPruning } from '@espalier/compression/prune/prunable';
import { pruneTo } from '@espalier/compression/prune/prune';
import { measurePair, speedupOf } from '@espalier/compression/recipe/latency';
import { prepare } from '@espalier/compression/recipe/prepare';
import { Session } from '@espalier/compression/runtime/session';
import { type Bench, profile, rounded, SEED } from './row.ts';

const MODEL = 'mobilenetv2-1.0-224';
const UNALIGNED = { inputChannels: 1, outputChannels: 1, depthwiseChannels: 1 };

/** Float32 speed-up of the structure that is left when L1 removes 30 % of all channels, also of the residual stream. */
export const bundles: Bench = {
  id: 'bundles-mobilenetv2',
  async measure(data) {
    const file = `${data}/models/${MODEL}.onnx`;
    const whole = await Session.open(file, MODEL, profile.session);
    const samples = await openDataset('random:4');
    const feeding = { inputs: whole.inputs, preprocess: null, batchSize: 1, seed: SEED };
    const { graph } = await prepare(await readChecked(file), samples, feeding);
    const feeds = (await firstFeeds(samples, feeding, 1))!;
    const speedup = async (alignment: Alignment): Promise<{ speedup: number; macsShare: number }> => {
      const subject = await orderPruning(graph, {
        ...{ importance: 'l1', alignment, tied: true, data: samples, feeding, seed: SEED },
      });
      const { graph: cut, macsBefore, macsAfter } = await pruneTo(subject, { target: { ratio: 0.3 }, refit: false });
      const session = await Session.open(encodeModel(cut), MODEL, profile.session);
      const pair = await measurePair(whole, session, feeds);
      await session.dispose();
      return { speedup: speedupOf(pair, profile.session), macsShare: macsAfter / macsBefore };
    };
    const aligned = await speedup(alignmentOf(profile.alignment, false));
    const unaligned = await speedup(UNALIGNED);
    await whole.dispose();
    const share = (one: number): string => `${(100 * one).toFixed(0)} % of the MACs`;
    return [
      {
        ...{ id: this.id, value: rounded(aligned.speedup), unit: 'x', n: 1, seed: SEED },
        reference: 'Torch-Pruning unaligned 0.85, to 8 1.78, to 16 by hand 1.95',
        note: `widths of ${profile.id}, ${share(aligned.macsShare)}; unaligned ${rounded(unaligned.speedup)}x at ${share(unaligned.macsShare)}`,
      },
    ];
  },
};
