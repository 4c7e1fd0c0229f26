/** The file for LiteRT beside the one that ONNX Runtime serves: it takes and gives the same, and computes the same. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { buildVariant } from '@espalier/compression/recipe/build';
import { GoldenFile } from '@espalier/proto';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { interpret } from './interpreter.ts';
import { readTflite } from './read.ts';

const few = (spec: string, n: string) => spec.replace(/\d+$/, n);

t.test('a profile with .tflite after .onnx gets the same network twice, with the same ends', async (t) => {
  const outDir = path.join(t.testdir(), 'artifact');
  const { files, alternatives, golden } = await buildVariant({
    ...{ modelPath: sample.model, modelName: 'sample', recipe: 'int8', method: 'minmax', outDir, preprocess: null },
    profile: profileById('x64-avx512-vnni', await loadProfiles()),
    ...{ calibrate: few(sample.calibrate, '32'), evaluate: few(sample.evaluate, '8') },
  });
  t.strictSame(files.map((one) => one.path).sort(), ['golden.json', 'model.onnx', 'model.tflite']);
  t.match(alternatives, [{ adapter: 'litert', entry: 'model.tflite' }]);
  const read = readTflite(new Uint8Array(readFileSync(path.join(outDir, 'model.tflite'))));
  const { cases } = GoldenFile.parse(JSON.parse(readFileSync(path.join(outDir, 'golden.json'), 'utf8')));
  const numbers = ({ base64 }: { base64: string }) =>
    new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer);
  for (const { inputs, outputs } of cases.slice(0, 1)) {
    const [[name, wanted]] = Object.entries(outputs) as [[string, (typeof outputs)[string]]];
    const [found] = interpret(read, Object.values(inputs).map(numbers));
    const most = Math.max(...numbers(wanted).map((value, at) => Math.abs(value - found![at]!)));
    t.ok(most <= alternatives[0]!.tolerance[name]!, `${most / golden.tolerance[name]!} steps`);
  }
});
