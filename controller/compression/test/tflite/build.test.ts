/** The sample through the command line, to the file that a microcontroller gets. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { readModel } from '@espalier/compression/onnx/codec';
import { buildVariant } from '@espalier/compression/recipe/build';
import { Session } from '@espalier/compression/runtime/session';
import { GoldenFile } from '@espalier/proto';
import { Tensor } from 'onnxruntime-node';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { interpret } from './interpreter.ts';
import { readTflite } from './read.ts';

const cli = path.join(import.meta.dirname, '..', '..', 'bin', 'espalier.mjs');
const calibrate = sample.calibrate.replace('256', '48');
const few = (spec: string) => spec.replace(/\d+$/, '8');
const given = ['--calibrate', few(sample.calibrate), '--evaluate', few(sample.evaluate)];

t.test('quantize -o x.tflite --profile ethos-u55: an integer file that agrees with the QDQ build', async (t) => {
  const out = t.testdir();
  const file = path.join(out, 'x.tflite');
  execFileSync(process.execPath, [cli, 'quantize', sample.model, '-o', file, '--profile', 'ethos-u55', ...given], {
    stdio: 'ignore',
  });
  const read = readTflite(new Uint8Array(readFileSync(file)));
  t.match(JSON.parse(readFileSync(path.join(out, 'x.build-options.json'), 'utf8')), {
    tool: 'vela',
    arguments: ['x.tflite', '--accelerator-config', 'ethos-u55-128'],
  });
  t.ok(read.tensors.every(({ type }) => type !== 'float32'));
  t.strictSame(
    read.inputs.map((at) => read.tensors[at]!.shape[0]),
    [1],
  );

  const profile = profileById('ethos-u55', await loadProfiles());
  const outDir = path.join(out, 'artifact');
  const { files } = await buildVariant({
    ...{ modelPath: sample.model, modelName: 'sample', profile, recipe: 'int8', outDir, preprocess: null },
    ...{ calibrate, evaluate: few(sample.evaluate) },
  });
  t.strictSame(files.map((one) => one.path).sort(), [
    'build-options.json',
    'golden.json',
    'model.onnx',
    'model.tflite',
  ]);
  const { cases } = GoldenFile.parse(JSON.parse(readFileSync(path.join(outDir, 'golden.json'), 'utf8')));
  const built = readTflite(new Uint8Array(readFileSync(path.join(outDir, 'model.tflite'))));
  const session = await Session.open(path.join(outDir, 'model.onnx'), 'built');
  const [input] = session.inputs;
  const { base64, shape } = cases[0]!.inputs[input!.name]!;
  const floats = new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer);
  const [expected] = Object.values(await session.floats({ [input!.name]: new Tensor('float32', floats, shape) }));
  await session.dispose();
  t.equal(shape[1], 1, 'one channel: both layouts are the same');
  const [found] = interpret(built, [floats]);
  const scale = built.tensors[built.outputs[0]!]!.scales[0]!;
  const most = Math.max(...found!.map((value, at) => Math.abs(value - expected!.data[at]!))) / scale;
  t.ok(most <= 2.01, `${most.toFixed(1)} steps after ${built.operators.length} operators`);
  const best = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
  t.equal(best(found!), best(expected!.data));
  t.ok((await readModel(path.join(outDir, 'model.onnx'))).nodes.length > 0);
});

const refusal = (...flags: string[]) =>
  spawnSync(process.execPath, [cli, 'quantize', sample.model, ...flags], { encoding: 'utf8' });

t.test('a profile without .tflite says which files it has, and a float build is no .tflite', async (t) => {
  const file = path.join(t.testdir(), 'x.tflite');
  const foreign = refusal('-o', file, '--profile', 'jetson-orin', ...given);
  t.equal(foreign.status, 2);
  t.match(foreign.stderr, /ESP_FLAG_INVALID.*\.onnx for jetson-orin/s);
  const float = refusal('-o', file, '--profile', 'ethos-u55', '--recipe', 'float');
  t.equal(float.status, 2);
  t.match(float.stderr, /ESP_TFLITE_NEEDS_INT8/);
  t.notOk(existsSync(file));
});
