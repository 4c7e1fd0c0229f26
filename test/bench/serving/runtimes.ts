/** ONNX Runtime against LiteRT on the two files of one int8 build, in rounds that take turns; see `bench --runtime litert`. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { liteRtVersion } from '@espalier/agent/runtime/litert/library';
import { buildVariant, loadProfiles, matchProfile, readLocalFacts, readPreprocess } from '@espalier/compression';
import { root } from '../../support/process.ts';
import { models as entries, specs } from '../models-list.ts';
import type { Line } from './cells.ts';
import { work } from './tools.ts';

const NETS = ['cifar10-resnet20', 'mlperf-tiny-ic-resnet8', 'mobilenetv2-1.0-224'];

/** The folder of a build with both files, made once and then kept; null where the profile of this machine has one file only. */
async function bothFiles(data: string, model: string): Promise<string | null> {
  const outDir = path.join(work, 'runtimes', model);
  const tflite = path.join(outDir, 'model.tflite');
  if (existsSync(tflite)) return outDir;
  const entry = entries.find((one) => one.model === model);
  const profile = matchProfile(await readLocalFacts(), await loadProfiles())?.profile;
  if (!entry || !profile) return null;
  mkdirSync(outDir, { recursive: true });
  await buildVariant({
    ...{ modelPath: path.join(data, 'models', `${model}.onnx`), modelName: model, profile, recipe: 'int8', outDir },
    ...{ preprocess: await readPreprocess(path.join(data, 'preprocess', `${model}.json`)), ...specs(data)[entry.data] },
  });
  return existsSync(tflite) ? outDir : null;
}

interface Told {
  readonly ratio?: number;
  readonly adapter?: string;
  readonly p50Us?: number;
  readonly n?: number;
}

/** None where LiteRT is not installed, and that is said. @param seconds of each network */
export async function runtimeCells(data: string, wanted: RegExp, seconds: number): Promise<Line[]> {
  const lines: Line[] = [];
  if (liteRtVersion() === null) {
    process.stderr.write('runtime: skipped, LiteRT is not installed (ESPALIER_LITERT names its folder)\n');
    return lines;
  }
  for (const model of NETS.filter((name) => wanted.test(`${name} int8`))) {
    const folder = await bothFiles(data, model);
    if (!folder) continue;
    const args = [
      'bench',
      path.join(folder, 'model.onnx'),
      '--runtime',
      'litert',
      '--json',
      '--seconds',
      String(seconds),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(root, 'agent/dist/main.js'), ...args]);
    const told = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Told);
    const times = told.filter(({ adapter }) => adapter).map(({ adapter, p50Us }) => `${adapter} ${p50Us} us`);
    lines.push({
      ...{ id: 'runtime', model, variant: 'int8', unit: 'p50 of ONNX Runtime / LiteRT' },
      value: Math.round(1000 * told.find(({ ratio }) => ratio !== undefined)!.ratio!) / 1000,
      ...{ reference: times.join(', '), n: Math.min(...told.map(({ n = Number.POSITIVE_INFINITY }) => n)) },
    });
  }
  return lines;
}
