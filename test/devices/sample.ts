/** The sample's builds and inputs, as the controller would make them, and what a machine computes from them. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type BuiltVariant, buildVariant, loadProfiles, profileById } from '@espalier/compression';
import { GoldenFile, normalizeInto, Preprocess } from '@espalier/proto';
import { root } from '../support/process.ts';
import type { Run } from './emulator.ts';

const folder = path.join(root, 'deploy/sample');
const idx = (set: string): string =>
  `idx:${folder}/${set}-subset-images-idx3-ubyte.gz,${folder}/${set}-subset-labels-idx1-ubyte.gz`;
const record = Preprocess.parse(JSON.parse(readFileSync(path.join(folder, 'fashion-ds.preprocess.json'), 'utf8')));

const SIDE = 28;
const IDX_HEADER_BYTES = 16;
const infer = path.join(import.meta.dirname, 'infer.mjs');

export interface Build extends BuiltVariant {
  readonly dir: string;
}

/** The sample's build for a profile, in its own folder below `scratch`. */
export async function buildSample(scratch: string, profileId: string, recipe: 'float' | 'int8'): Promise<Build> {
  const dir = path.join(scratch, `${profileId}-${recipe}`);
  const variant = await buildVariant({
    modelPath: path.join(folder, 'fashion-ds.onnx'),
    modelName: 'fashion-ds',
    profile: profileById(profileId, await loadProfiles()),
    recipe,
    calibrate: `${idx('train')}?to=256`,
    evaluate: `${idx('test')}?to=200`,
    preprocess: record,
    outDir: dir,
    seed: 1,
  });
  return { ...variant, dir };
}

/** The first images of the evaluation half as model input, one row each. */
export function images(count: number): Float32Array {
  const area = SIDE * SIDE;
  const pixels = gunzipSync(readFileSync(path.join(folder, 'test-subset-images-idx3-ubyte.gz')));
  const out = new Float32Array(count * area);
  for (let index = 0; index < count; index++) {
    const start = IDX_HEADER_BYTES + index * area;
    const data = pixels.subarray(start, start + area);
    normalizeInto({ data, width: SIDE, height: SIDE, channels: 1 }, record, out, index * area);
  }
  return out;
}

/** The build's golden cases: inputs end to end, and what the controller saw come out. */
export function golden(build: Build): { inputs: Float32Array; outputs: Float32Array; tolerance: number } {
  const { cases } = GoldenFile.parse(JSON.parse(readFileSync(path.join(build.dir, build.golden.path), 'utf8')));
  const join = (side: 'inputs' | 'outputs'): Float32Array => {
    const all = Buffer.concat(
      cases.flatMap((one) => Object.values(one[side]).map(({ base64 }) => Buffer.from(base64, 'base64'))),
    );
    return new Float32Array(new Uint8Array(all).buffer);
  };
  return { inputs: join('inputs'), outputs: join('outputs'), tolerance: Object.values(build.golden.tolerance)[0]! };
}

let jobs = 0;

/** What a machine computes; fails with its own words. */
export async function compute(machine: Run, build: Build, inputs: Float32Array): Promise<Float32Array> {
  const at = (file: string): string => path.join(build.dir, `${++jobs}-${file}`);
  const [job, input, output] = [at('job.json'), at('in.bin'), at('out.bin')];
  writeFileSync(input, new Uint8Array(inputs.buffer, inputs.byteOffset, inputs.byteLength));
  const { graphOptimizationLevel: level, extra: _none, ...options } = build.sessionOptions;
  const sessionOptions = { ...options, graphOptimizationLevel: level };
  const model = path.join(build.dir, build.entry);
  const shape = [1, SIDE, SIDE];
  writeFileSync(job, JSON.stringify({ model, sessionOptions, inputs: input, shape, outputs: output }));
  const { code, signal, stderr } = await machine([infer, job]);
  if (code !== 0) throw new Error(`inference ended with ${signal ?? code}:\n${stderr}`);
  return new Float32Array(new Uint8Array(readFileSync(output)).buffer);
}

/** The largest absolute difference, and how many of the values differ at all. */
export function difference(a: Float32Array, b: Float32Array): { max: number; differing: number; of: number } {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  const deltas = a.map((value, index) => Math.abs(value - b[index]!));
  return {
    max: deltas.reduce((x, y) => Math.max(x, y), 0),
    differing: deltas.filter((d) => d > 0).length,
    of: a.length,
  };
}
