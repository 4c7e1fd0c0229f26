/** Builds for many profiles against builds for one: what they share is made once. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, inspectModel, loadProfiles } from '@espalier/compression';
import { root } from '../../support/process.ts';
import { type LoopBench, rounded } from './row.ts';

const PROFILES = 12;
const SAMPLE = path.join(root, 'deploy', 'sample');
const idx = (part: string): string =>
  `idx:${SAMPLE}/${part}-subset-images-idx3-ubyte.gz,${SAMPLE}/${part}-subset-labels-idx1-ubyte.gz`;

export const many: LoopBench = {
  ids: ['many'],
  async measure() {
    const modelPath = path.join(SAMPLE, 'fashion-ds.onnx');
    const { preprocess } = await inspectModel(modelPath);
    const profiles = (await loadProfiles()).filter(({ precisions }) => precisions.includes('int8')).slice(0, PROFILES);
    const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-many-'));
    const seconds: number[] = [];
    try {
      for (const profile of profiles) {
        const started = process.cpuUsage();
        await buildVariant({
          ...{ modelPath, modelName: 'fashion-ds', profile, recipe: 'int8', preprocess, outDir },
          ...{ calibrate: `${idx('train')}?to=512`, evaluate: idx('test') },
        });
        const { user, system } = process.cpuUsage(started);
        seconds.push((user + system) / 1e6);
      }
    } finally {
      rmSync(outDir, { recursive: true, force: true });
    }
    const total = seconds.reduce((sum, one) => sum + one, 0);
    const note = `CPU time of ${profiles.length} builds one after another over the first; nothing is shared between builds yet`;
    return [
      {
        id: 'many',
        value: rounded(total / seconds[0]!),
        unit: 'times',
        bar: '<= 1.5',
        n: profiles.length,
        seed: 1,
        note,
      },
    ];
  },
};
