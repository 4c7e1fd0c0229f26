/** What comparisons make of numbers that are none. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { SqnrMeter } from '@espalier/compression/quantize/meter';
import { buildVariant } from '@espalier/compression/recipe/build';
import { relativeDifference } from '@espalier/compression/recipe/prepare';
import t from 'tap';
import { noise, tinyGraph } from '../support/tiny.ts';

const profile = profileById('arm64-neon', await loadProfiles());

for (const recipe of ['float', 'int8'] as const) {
  t.test(`a model that returns NaN is refused by the name of the output (${recipe})`, async (t) => {
    const graph = tinyGraph({
      inputs: { x: ['N', 3, 4, 4] },
      outputs: ['y'],
      constants: { w: noise([4, 3, 1, 1], 1) },
      nodes: [
        ['Conv', ['x', 'w'], ['h']],
        ['Abs', ['h'], ['a']],
        ['Neg', ['a'], ['n']],
        ['Sqrt', ['n'], ['y']],
      ],
    });
    const modelPath = path.join(t.testdir(), 'm.onnx');
    writeFileSync(modelPath, encodeModel(graph));
    const build = buildVariant({
      modelPath,
      modelName: 'm',
      profile,
      recipe,
      calibrate: 'random:8',
      evaluate: null,
      preprocess: null,
      outDir: path.join(t.testdirName, 'out'),
    });
    await t.rejects(build, { code: 'ESP_OUTPUT_NOT_A_NUMBER', details: { output: 'y' } });
  });
}

const of = (...values: number[]): Float32Array => Float32Array.from(values);

t.test('an infinite score is equal to itself and far from all else', async (t) => {
  t.equal(relativeDifference(of(-Infinity, 0, 2), of(-Infinity, 0, 1)), 0.5);
  t.equal(relativeDifference(of(-Infinity, 0, 2), of(-5, 0, 2)), Infinity);
  t.equal(relativeDifference(of(1, 0, 2), of(Number.NaN, 0, 2)), Infinity);
});

t.test('SQNR passes over infinite scores, and is a number where the variant returns none', async (t) => {
  const meter = new SqnrMeter();
  meter.add('masked', of(-Infinity, 3), of(-Infinity, 3));
  meter.add('broken', of(1, 3), of(Number.NaN, 3));
  t.strictSame(meter.values(), { masked: 200, broken: -200 });
});
