/** Builds for many profiles in one job against a build for one: what they have in common is made once. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, inCompany, inspectModel, loadProfiles } from '@espalier/compression';
import { root } from '../../support/process.ts';
import { type LoopBench, rounded } from './row.ts';

const PROFILES = 12;
const SAMPLE = path.join(root, 'deploy', 'sample');
const idx = (part: string): string =>
  `idx:${SAMPLE}/${part}-subset-images-idx3-ubyte.gz,${SAMPLE}/${part}-subset-labels-idx1-ubyte.gz`;

interface Spent {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

export const many: LoopBench = {
  ids: ['many'],
  async measure() {
    const modelPath = path.join(SAMPLE, 'fashion-ds.onnx');
    const { preprocess } = await inspectModel(modelPath);
    const profiles = (await loadProfiles()).filter(({ precisions }) => precisions.includes('int8')).slice(0, PROFILES);
    const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-many-'));
    const files = new Set<string>();
    const job = async (part: typeof profiles): Promise<Spent> => {
      const [shared, cpu, started] = [inCompany(), process.cpuUsage(), performance.now()];
      for (const profile of part) {
        const built = await buildVariant({
          ...{ modelPath, modelName: 'fashion-ds', profile, recipe: 'int8', preprocess, outDir, shared },
          ...{ calibrate: `${idx('train')}?to=512`, evaluate: idx('test') },
        });
        files.add(built.files[0]!.sha256);
      }
      const { user, system } = process.cpuUsage(cpu);
      return { cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - started) / 1000 };
    };
    try {
      // One of each before and after, so that the machine's drift falls on both.
      const before = await job(profiles.slice(0, 1));
      const all = await job(profiles);
      const after = await job(profiles.slice(0, 1));
      const one = (before.cpuSeconds + after.cpuSeconds) / 2;
      const note =
        `CPU time of one job for ${profiles.length} profiles (${all.cpuSeconds.toFixed(1)} s; ${all.wallSeconds.toFixed(1)} s of the clock) ` +
        `over a job for one (${one.toFixed(1)} s); ${files.size} of the ${profiles.length} files differ, and each of these is searched and proven by itself`;
      const value = rounded(all.cpuSeconds / one);
      return [{ id: 'many', value, unit: 'times', bar: '<= 1.5', n: profiles.length, seed: 1, note }];
    } finally {
      rmSync(outDir, { recursive: true, force: true });
    }
  },
};
