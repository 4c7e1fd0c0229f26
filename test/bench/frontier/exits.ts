/** Early exits on a network that users have: how much of its work is left within a point of top-1. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { subset } from '@espalier/compression/data/content';
import { openDataset } from '@espalier/compression/data/dataset';
import { makeExits } from '@espalier/compression/exit/exits';
import { compareStaged, STAGES_FILE, StagedSession } from '@espalier/compression/exit/run-staged';
import { readChecked } from '@espalier/compression/inspect';
import { Session } from '@espalier/compression/runtime/session';
import { sha256Hex } from '@espalier/proto';
import { type Bench, rounded, SEED } from '../training/row.ts';
import { cifarSpec, Subject } from '../training/subject.ts';

const MODEL = 'cifar10-resnet56';
const TRAINED = 2000;
const CALIBRATED = 2500;

export const exits: Bench = {
  id: 'exits-resnet56',
  async measure(data) {
    const file = path.join(data, 'models', `${MODEL}.onnx`);
    const opened = await Subject.open(data, MODEL);
    const { preprocess, inputs } = opened.feeding;
    const test = await openDataset(`cifar10:${data}/cifar10/test_5k.bin.gz`);
    const part = (from: number, to: number) =>
      subset(
        test,
        Array.from({ length: to - from }, (_, at) => from + at),
      );
    const made = await makeExits(await readChecked(file), {
      ...{ model: MODEL, input: inputs[0]!, preprocess, seed: SEED, workers: 2, at: 2, head: 'conv', maxDrop: 1 },
      ...{ epochs: 0, jointEpochs: 0, data: await openDataset(cifarSpec(data, TRAINED)) },
      calibration: part(0, CALIBRATED),
    });
    const folder = await mkdtemp(path.join(os.tmpdir(), 'espalier-exits-'));
    const whole = await Session.open(file, MODEL);
    try {
      const stages = made.stages.map((bytes, at) => ({ bytes, file: `stage-${at}.onnx`, ...made.described[at]! }));
      for (const { file: name, bytes } of stages) await writeFile(path.join(folder, name), bytes);
      const listed = stages.map(({ bytes, ...stage }) => ({ ...stage, sha256: sha256Hex(bytes) }));
      const described = { version: 1, model: MODEL, classes: made.classes, stages: listed };
      await writeFile(path.join(folder, STAGES_FILE), JSON.stringify(described));
      const staged = await StagedSession.open(folder);
      const report = await compareStaged(staged, whole, part(CALIBRATED, test.n), { ...opened.feeding, batchSize: 1 });
      await staged.dispose();
      const times = rounded(report.wholeUs / report.meanUs);
      return [
        {
          ...{ id: this.id, value: rounded((100 * report.meanMacs) / made.macs), unit: '% of the MACs', n: report.n },
          ...{ reference: 'the whole network, 1 point of top-1 allowed', seed: SEED },
          note: `top-1 ${rounded(report.top1!)} of ${rounded(report.top1Whole!)}, ${times}x as fast; ended at ${report.histogram.join(', ')}`,
        },
      ];
    } finally {
      await Promise.all([whole.dispose(), opened.close(), rm(folder, { recursive: true })]);
    }
  },
};
