/** Real models of the data pack, when it is there: the float figures that preprocessing must reproduce. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, loadProfiles, profileById, readPreprocess } from '@espalier/compression';
import t from 'tap';

const data = path.join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared', 'data');
const skip = existsSync(data) ? false : `the data pack is not at ${data}`;
const foreign = { features: ['none'], compatible: [], accelerator: null, runtime: null };
const profile = { ...profileById('x64-avx512-vnni', await loadProfiles()), match: foreign };

for (const [model, calibrate, evaluate, float, drop] of [
  ['mlperf-tiny-kws-dscnn', 'kws:$/kws01_500.bin?every=5', 'kws:$/kws01_500.bin?not-every=5', 91.25, 1],
  ['mlperf-tiny-ic-resnet8', 'cifar10:$/cifar10/train_10k.bin.gz?to=200', 'cifar10:$/cifar10/test_5k.bin.gz', 87.2, 1],
] as const) {
  t.test(`${model}: float ${float} as measured elsewhere, int8 within ${drop} point`, { skip }, async (t) => {
    const { report } = await buildVariant({
      modelPath: path.join(data, 'models', `${model}.onnx`),
      modelName: model,
      profile,
      recipe: 'int8',
      calibrate: calibrate.replace('$', data),
      evaluate: evaluate.replace('$', data),
      preprocess: await readPreprocess(path.join(data, 'preprocess', `${model}.json`)),
      outDir: t.testdir(),
    });
    t.equal(report.float.top1, float);
    t.ok(float - report.variant.top1! <= drop, `int8 ${report.variant.top1}`);
    t.strictSame(report.floatNodes, []);
  });
}
