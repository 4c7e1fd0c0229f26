/**
 * One model of the benchmark: builds, evaluates, prints the summary line, with CPU seconds and memory up to the finished
 * build as `build`. Arguments: data folder, model, profile ('' for this machine's), and a folder that keeps the artifact.
 */
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

const [, , data, model, profileId, kept] = process.argv as [string, string, string, string, string, string?];
const entry = models.find((one) => one.model === model)!;
const profiles = await loadProfiles();
const profile = profileId ? profileById(profileId, profiles) : matchProfile(await readLocalFacts(), profiles)!.profile;
const outDir = kept ?? mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
let step = '';
/** What the build itself took: evaluation, latency and proof come after it. */
let build: { cpuSeconds: number; peakRssMb: number } | null = null;

function used(): { cpuSeconds: number; peakRssMb: number } {
  const { user, system } = process.cpuUsage(started);
  return {
    cpuSeconds: Number(((user + system) / 1e6).toFixed(2)),
    peakRssMb: Number((process.resourceUsage().maxRSS / 1024).toFixed(1)),
  };
}

const started = process.cpuUsage();
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
      if (step === 'evaluate') build ??= used();
    },
  });
  for (const note of report.notes) process.stderr.write(`${model}: ${note}\n`);
  process.stdout.write(`${JSON.stringify({ ...summarize(report), build })}\n`);
} finally {
  if (!kept) rmSync(outDir, { recursive: true, force: true });
}
