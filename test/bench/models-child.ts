/** One model of the benchmark: builds, evaluates, prints the summary line. Arguments: data folder, model, profile. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  buildVariant,
  loadProfiles,
  matchProfile,
  profileById,
  readLocalFacts,
  readPreprocess,
} from '@espalier/compression';
import { summarize } from '@espalier/compression/report/summary';
import { models, specs } from './models-list.ts';

const [, , data, model, profileId] = process.argv as [string, string, string, string, string];
const entry = models.find((one) => one.model === model)!;
const profiles = await loadProfiles();
const profile = profileId ? profileById(profileId, profiles) : matchProfile(await readLocalFacts(), profiles)!.profile;
const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
let step = '';
try {
  const { report } = await buildVariant({
    modelPath: path.join(data, 'models', `${model}.onnx`),
    modelName: model,
    profile,
    recipe: 'int8',
    ...specs(data)[entry.data],
    preprocess: await readPreprocess(path.join(data, 'preprocess', `${model}.json`)),
    outDir,
    onProgress(progress) {
      if (progress.step !== step) process.stderr.write(`${model}: ${progress.step}\n`);
      step = progress.step;
    },
  });
  for (const note of report.notes) process.stderr.write(`${model}: ${note}\n`);
  process.stdout.write(`${JSON.stringify(summarize(report))}\n`);
} finally {
  rmSync(outDir, { recursive: true, force: true });
}
