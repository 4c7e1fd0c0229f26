/** The networks of the serving benchmark: those of the data pack, and a network of six matrices of 1024 x 1024. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildVariant, loadProfiles, matchProfile, readLocalFacts, readPreprocess } from '@espalier/compression';
import { noise, writeTinyModel } from '../../support/tiny-model.ts';
import { models as entries, specs } from '../models-list.ts';
import { work } from './tools.ts';

export interface BenchModel {
  readonly model: string;
  readonly variant: 'float' | 'int8';
  readonly file: string;
  /** One sample without its batch axis, as the load generator takes it. */
  readonly shape: string;
  /** Batch sizes among which the limit is found. */
  readonly batches: string;
}

const WIDTH = 1024;
const NETS = [
  ['mobilenetv2-1.0-224', '3,224,224'],
  ['squeezenet1.1', '3,224,224'],
  ['cifar10-resnet20', '3,32,32'],
] as const;

function multilayer(): BenchModel {
  const file = path.join(work, 'mlp.onnx');
  const layers = [0, 1, 2, 3, 4, 5];
  if (!existsSync(file))
    writeTinyModel(file, {
      inputs: { input: ['batch', WIDTH] },
      outputs: ['h6'],
      constants: Object.fromEntries(layers.map((at) => [`w${at}`, noise([WIDTH, WIDTH], at + 1, 0.1)])),
      nodes: layers.flatMap((at) => [
        ['MatMul', [at === 0 ? 'input' : `h${at}`, `w${at}`], [`p${at}`]],
        ['Relu', [`p${at}`], [`h${at + 1}`]],
      ]),
    });
  return { model: 'mlp', variant: 'float', file, shape: String(WIDTH), batches: '1,2,4,8,16' };
}

/** The int8 build for this machine's profile; made once, then kept. */
async function int8(data: string, model: string): Promise<string | null> {
  const file = path.join(work, `${model}-int8.onnx`);
  if (existsSync(file)) return file;
  const entry = entries.find((one) => one.model === model);
  if (!entry) return null;
  const preprocess = await readPreprocess(path.join(data, 'preprocess', `${model}.json`));
  const modelPath = path.join(data, 'models', `${model}.onnx`);
  return quantized({ modelPath, model, preprocess, ...specs(data)[entry.data] }, file);
}

interface Quantizing {
  readonly modelPath: string;
  readonly model: string;
  readonly preprocess: Awaited<ReturnType<typeof readPreprocess>> | null;
  readonly calibrate: string;
  readonly evaluate: string;
}

async function quantized({ model, ...from }: Quantizing, file: string): Promise<string | null> {
  const profile = matchProfile(await readLocalFacts(), await loadProfiles())?.profile;
  if (!profile) return null;
  const outDir = mkdtempSync(path.join(os.tmpdir(), 'espalier-serving-'));
  try {
    await buildVariant({ ...from, modelName: model, profile, recipe: 'int8', outDir });
    const built = readdirSync(outDir, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('.onnx'));
    if (!built) return null;
    copyFileSync(path.join(outDir, built), file);
    return file;
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/** Nobody has data for a network of noise: noise calibrates it, which is all that its speed needs. */
const noiseFor = ({ file }: BenchModel): Quantizing => ({
  ...{ modelPath: file, model: 'mlp', preprocess: null, calibrate: 'random:64', evaluate: 'random:64' },
});

/** @param wanted on "model variant" */
export async function benchModels(data: string, wanted: RegExp): Promise<BenchModel[]> {
  mkdirSync(work, { recursive: true });
  const list: BenchModel[] = [];
  for (const [model, shape] of NETS) {
    const file = path.join(data, 'models', `${model}.onnx`);
    const batches = '1,8';
    if (!existsSync(file)) continue;
    if (wanted.test(`${model} float`)) list.push({ model, variant: 'float', file, shape, batches });
    const build = wanted.test(`${model} int8`) ? await int8(data, model) : null;
    if (build) list.push({ model, variant: 'int8', file: build, shape, batches });
  }
  const layers = multilayer();
  if (wanted.test('mlp float')) list.push(layers);
  const layersInt8 = path.join(work, 'mlp-int8.onnx');
  if (wanted.test('mlp int8') && (existsSync(layersInt8) || (await quantized(noiseFor(layers), layersInt8))))
    list.push({ ...layers, variant: 'int8', file: layersInt8 });
  return list;
}
