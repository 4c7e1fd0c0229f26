/** Pruning without training: cut, refitted, and the build that comes of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, readPreprocess } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { readChecked } from '@espalier/compression/inspect';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { type Importance, orderPruning } from '@espalier/compression/prune/prunable';
import { type CutOptions, pruneTo } from '@espalier/compression/prune/prune';
import { compare } from '@espalier/compression/recipe/accuracy';
import { measurePair, speedupOf } from '@espalier/compression/recipe/latency';
import { prepare } from '@espalier/compression/recipe/prepare';
import { Session } from '@espalier/compression/runtime/session';
import { nets } from '../../../controller/compression/test/prune/nets.ts';
import { pruneDeadHalf } from '../../../controller/compression/test/prune/oracle.ts';
import { specs } from '../models-list.ts';
import { type Bench, profile, rounded, SEED } from './row.ts';

interface Pruning {
  readonly macsShare: number;
  readonly top1: number;
  readonly n: number;
}

/** Prunes one network to several targets from one order, and evaluates each. */
async function pruneEach(
  data: string,
  model: string,
  spec: { calibrate: string; evaluate: string },
  importance: Importance,
  cuts: readonly CutOptions[],
): Promise<{ results: Pruning[]; cpuSeconds: number }> {
  const file = path.join(data, 'models', `${model}.onnx`);
  const original = await readChecked(file);
  const float = await Session.open(file, model);
  const preprocess = await readPreprocess(path.join(data, 'preprocess', `${model}.json`));
  const feeding = { inputs: float.inputs, preprocess, batchSize: 10, seed: SEED };
  const calibration = await openDataset(spec.calibrate);
  const evaluation = await openDataset(spec.evaluate);
  const started = process.cpuUsage();
  const { graph } = await prepare(original, calibration, feeding);
  const subject = await orderPruning(graph, {
    ...{ importance, alignment: profile.alignment, tied: false, data: calibration, feeding, seed: SEED },
  });
  const cut = [];
  for (const options of cuts) cut.push(await pruneTo(subject, options));
  const { user, system } = process.cpuUsage(started);
  const results: Pruning[] = [];
  for (const { graph: pruned, macsAfter, macsBefore } of cut) {
    const session = await Session.open(encodeModel(pruned), `${model}, pruned`);
    const { top1, n } = await compare(float, session, evaluation, feeding);
    results.push({ macsShare: macsAfter / macsBefore, top1: top1!, n });
    await session.dispose();
  }
  await float.dispose();
  return { results, cpuSeconds: (user + system) / 1e6 };
}

const cifar = (data: string, samples: number) => ({
  calibrate: `cifar10:${data}/cifar10/train_10k.bin.gz?to=${samples}`,
  evaluate: specs(data).cifar10.evaluate,
});

const refit96: Bench = {
  id: 'refit-mobilenetv2-96',
  async measure(data) {
    const targets = [0.59, 0.49].map((macs) => ({ target: { macs }, refit: true }));
    const { results, cpuSeconds } = await pruneEach(data, 'mobilenetv2-96-cifar10', cifar(data, 300), 'obs', targets);
    return results.map(({ top1, macsShare, n }, at) => ({
      ...{ id: at === 0 ? this.id : `${this.id}-half`, value: rounded(top1), unit: 'top-1 %', n, seed: SEED },
      reference: at === 0 ? 'Python probe 88.12 at -41% MACs' : 'Python probe 86.32 at -51% MACs',
      note: `${(100 * macsShare).toFixed(1)}% of the MACs, ${cpuSeconds.toFixed(0)} CPU s for both`,
    }));
  },
};

const refit224: Bench = {
  id: 'refit-mobilenetv2',
  async measure(data) {
    const cuts = [
      { target: { ratio: 0.3 }, refit: true },
      { target: { ratio: 0.3 }, refit: false },
      { target: { macs: 0.71 }, refit: true },
    ];
    const { results, cpuSeconds } = await pruneEach(data, 'mobilenetv2-1.0-224', specs(data).nips17, 'obs', cuts);
    const [uniform, cutOnly, chosen] = results as [Pruning, Pruning, Pruning];
    const row = { unit: 'top-1 %', reference: 'naive refit 55.7, cut only 0.0', n: uniform.n, seed: SEED };
    return [
      {
        ...{ id: this.id, value: rounded(uniform.top1), ...row },
        note: `30% of every inner group; cut only ${rounded(cutOnly.top1)}; ${cpuSeconds.toFixed(0)} CPU s for three`,
      },
      {
        ...{ id: `${this.id}-chosen`, value: rounded(chosen.top1), ...row },
        note: `widths chosen by error, ${(100 * chosen.macsShare).toFixed(1)}% of the MACs`,
      },
    ];
  },
};

/** The finished build: pruned and int8 against int8 alone, timed side by side. */
const prunedInt8: Bench = {
  id: 'pruned-int8-without-training',
  async measure(data) {
    const model = 'mobilenetv2-96-cifar10';
    const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
    const preprocess = await readPreprocess(path.join(data, 'preprocess', `${model}.json`));
    const build = (recipe: 'int8' | 'pruned-int8') =>
      buildVariant({
        ...{ modelPath: path.join(data, 'models', `${model}.onnx`), modelName: model, profile, recipe, preprocess },
        ...{ maxDrop: 4, outDir: path.join(outDir, recipe), ...cifar(data, 1300) },
      });
    try {
      const int8 = await build('int8');
      const pruned = await build('pruned-int8');
      const open = (recipe: string) => Session.open(path.join(outDir, recipe, 'model.onnx'), recipe, profile.session);
      const [slow, fast] = [await open('int8'), await open('pruned-int8')];
      const feeding = { inputs: slow.inputs, preprocess, batchSize: 1, seed: SEED };
      const feeds = (await firstFeeds(await openDataset(cifar(data, 1).calibrate), feeding, 1))!;
      const speedup = speedupOf(await measurePair(slow, fast, feeds), profile.session);
      const drop = int8.report.variant.top1! - pruned.report.variant.top1!;
      return [
        {
          ...{ id: this.id, value: rounded(speedup), unit: 'x faster than int8', seed: SEED },
          ...{ reference: 'int8 of the whole network, same run', n: pruned.report.data!.n },
          note: `${rounded(drop)} points below int8 (${rounded(pruned.report.variant.top1!)} %)`,
        },
      ];
    } finally {
      rmSync(outDir, { recursive: true, force: true });
    }
  },
};

const lossless: Bench = {
  id: 'lossless',
  async measure() {
    const found = await Promise.all(nets.map(pruneDeadHalf));
    const held = found.filter(
      ({ missed, difference, isNarrower }) => missed.length === 0 && difference < 1e-5 && isNarrower,
    );
    const value = held.length === nets.length ? held.length : 0;
    return [{ id: this.id, value, unit: 'nets', reference: `${nets.length} nets`, n: nets.length, seed: SEED }];
  },
};

export const untrained: readonly Bench[] = [lossless, refit96, refit224, prunedInt8];
