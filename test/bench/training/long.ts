/** Rows that train for minutes: each against what a paper or the plain way reaches. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readPreprocess } from '@espalier/compression';
import { measureShare } from '@espalier/compression/latency/measure-share';
import { profileOps } from '@espalier/compression/latency/profile-ops';
import { readModel } from '@espalier/compression/onnx/codec';
import { pruneTo } from '@espalier/compression/prune/prune';
import { optimize } from '@espalier/compression/recipe/optimize';
import { NO_BUDGETS } from '@espalier/compression/search/budgets';
import { type Bench, profile, rounded, SEED } from './row.ts';
import { cifarSpec, Subject } from './subject.ts';

const SAMPLES = 30_000;
const distilled = (epochs: number) => ({
  stages: [
    {
      ...{ name: 'distill', epochs, batch: 64, optimizer: { rate: 0.02, weightDecay: 5e-4 } },
      ...{ augment: { flip: true, shift: 4 }, distill: { weight: 0.9 } },
    },
  ],
});

/** The one command for a size: `espalier optimize --size-ratio 10`. */
const size10 = (model: string, minutes: number): Bench => ({
  ...{ id: 'size-10x', model },
  long: true,
  async measure(data) {
    const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
    try {
      const preprocess = await readPreprocess(path.join(data, 'preprocess', `${model}.json`));
      const { chosen, folder } = await optimize({
        ...{
          modelPath: path.join(data, 'models', `${model}.onnx`),
          modelName: model,
          profile,
          preprocess,
          outDir,
          minutes,
        },
        ...{ data: cifarSpec(data, SAMPLES), seed: SEED },
        // No largest drop: the whole network has learnt the images that judge, so its 99.75 % there is no accuracy to be held to.
        budgets: { ...NO_BUDGETS, sizeRatio: 10 },
        onPoint: ({ recipe, top1, sizeRatio }) =>
          process.stderr.write(`  ${recipe}: ${top1} %, ${sizeRatio}x smaller\n`),
      });
      const subject = await Subject.open(data, model);
      const { top1, n } = await subject.top1(await readModel(path.join(folder, 'model.onnx')));
      const { top1: float } = await subject.top1(subject.graph);
      await subject.close();
      const { recipe, speedup, sizeRatio } = chosen;
      return [
        {
          ...{
            id: this.id,
            model,
            value: sizeRatio >= 10 ? rounded((100 * top1) / float) : 0,
            unit: '% of the accuracy',
            n,
            seed: SEED,
          },
          reference: 'the claim: 1/10 of the size at 95 %',
          note: `${rounded(top1)} % of ${rounded(float)} %, ${rounded(sizeRatio)}x smaller (${recipe}), ${rounded(speedup ?? 0)}x faster`,
        },
      ];
    } finally {
      rmSync(outDir, { recursive: true, force: true });
    }
  },
});

const EPOCHS_56 = 6;

const resnet56: Bench = {
  id: 'resnet56-2.13x',
  long: true,
  async measure(data) {
    const subject = await Subject.open(data, 'cifar10-resnet56');
    const target = { macs: 1 / 2.13 };
    const { graph: cut } = await pruneTo(await subject.ordered('obs'), { target, refit: true });
    const { graph } = await subject.train(cut, distilled(EPOCHS_56), SAMPLES, subject.graph);
    const { top1, n } = await subject.top1(graph);
    const { top1: float } = await subject.top1(subject.graph);
    await subject.close();
    return [
      {
        ...{ id: this.id, value: rounded(top1), unit: 'top-1 %', n, seed: SEED },
        reference: 'DepGraph 93.53 to 93.77 with all 50,000 images',
        note: `1/2.13 of the MACs, ${EPOCHS_56} epochs of ${SAMPLES}; the whole network ${rounded(float)}`,
      },
    ];
  },
};

const COMPARED_SAMPLES = 10_000;
const COMPARED_SEEDS = [1, 2];

/** Chosen by the table at the latency that uniform L1 has by the same table, both trained alike. */
const tableBeatsUniform = (model: string): Bench => ({
  ...{ id: 'table-beats-uniform', model },
  long: true,
  async measure(data) {
    const subject = await Subject.open(data, model);
    const [plain, ours] = [await subject.ordered('l1'), await subject.ordered('obs')];
    const build = { profile, precision: 'float32' } as const;
    const table = await profileOps(ours, { model, ...build });
    const uniform = await pruneTo(plain, { target: { ratio: 0.5 }, refit: false });
    const share = await measureShare(plain, uniform.graph, build);
    const chosen = await pruneTo(ours, { target: { latency: share, table }, refit: true });
    const ownShare = await measureShare(ours, chosen.graph, build);
    const gains: number[] = [];
    for (const seed of COMPARED_SEEDS) {
      const reached = [];
      for (const { graph } of [uniform, chosen]) {
        const { graph: taught } = await subject.train(graph, distilled(1), COMPARED_SAMPLES, subject.graph, seed);
        reached.push((await subject.top1(taught)).top1);
      }
      gains.push(reached[1]! - reached[0]!);
    }
    await subject.close();
    const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
    return [
      {
        ...{ id: this.id, model, value: rounded(mean), unit: 'points', n: 5000, seed: SEED },
        reference: 'uniform L1 at one half, trained alike',
        note: `${gains.map(rounded).join(', ')} by seed; measured latency ${rounded(ownShare)} of the whole against ${rounded(share)}`,
      },
    ];
  },
});

export const long: readonly Bench[] = [
  size10('cifar10-resnet20', 30),
  size10('mobilenetv2-96-cifar10', 60),
  resnet56,
  tableBeatsUniform('cifar10-resnet20'),
  tableBeatsUniform('cifar10-resnet56'),
];
