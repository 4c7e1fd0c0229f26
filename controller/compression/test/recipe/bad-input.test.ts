/** Models and data that cannot be right, through the two doors that take them: reading and building. Each ends in a coded error, soon. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, inspectModel, loadProfiles, profileById } from '@espalier/compression';
import { Type } from '@espalier/compression/onnx/tensor';
import t from 'tap';
import { modelFile, node, tensorAttribute, value, weights } from '../support/message.ts';
import { floats, ints, noise } from '../support/tiny.ts';

const profile = profileById(process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod', await loadProfiles());

type Tap = { testdir(): string };

function fileIn(t: Tap, bytes: Uint8Array): string {
  const file = path.join(t.testdir(), 'm.onnx');
  writeFileSync(file, bytes);
  return file;
}

const build = (modelPath: string, more: object = {}) =>
  buildVariant({
    ...{ modelPath, modelName: 'm', profile, recipe: 'int8', calibrate: 'random:8', evaluate: null, preprocess: null },
    outDir: path.join(path.dirname(modelPath), 'out'),
    ...more,
  });

const conv = (w = noise([4, 3, 3, 3], 1)) => ({
  input: [value('x', [1, 3, 8, 8])],
  output: [value('y', [1, 4, 6, 6])],
  initializer: weights({ w }),
  node: [node('Conv', ['x', 'w'], ['y'])],
});
const withNumber = (wrong: number) => {
  const numbers = Array.from({ length: 108 }, () => 0.5);
  numbers[77] = wrong;
  return modelFile(conv(floats([4, 3, 3, 3], numbers)));
};
const good = modelFile(conv());

const refused: [what: string, bytes: () => Uint8Array, code: string, message: RegExp][] = [
  ['a weight of NaN', () => withNumber(Number.NaN), 'ESP_MODEL_INVALID', /at w: .*(NaN|not.*number)/i],
  ['an infinite weight', () => withNumber(Number.POSITIVE_INFINITY), 'ESP_MODEL_INVALID', /at w: /],
  [
    'a cycle',
    () =>
      modelFile({
        ...conv(),
        node: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Add', ['a', 'b'], ['y'])],
      }),
    'ESP_MODEL_INVALID',
    /cycle/,
  ],
  [
    'an output of another shape than declared',
    () => modelFile({ ...conv(), output: [value('y', [1, 4, 5, 5])] }),
    'ESP_MODEL_INVALID',
    /at y: /,
  ],
  [
    'a model without inputs',
    () =>
      modelFile({
        ...conv(),
        input: [],
        initializer: weights({ x: noise([1, 3, 8, 8], 2), w: noise([4, 3, 3, 3], 1) }),
      }),
    'ESP_MODEL_INVALID',
    /it has no input/,
  ],
  ['half of a file', () => good.subarray(0, good.length >> 1), 'ESP_MODEL_INVALID', /./],
  ['an empty file', () => new Uint8Array(), 'ESP_MODEL_INVALID', /./],
  [
    'a weight of 4 exabytes without data',
    () =>
      modelFile({
        ...conv(),
        initializer: [{ name: 'w', dataType: Type.FLOAT, dims: [1_000_000_000n, 1_000_000_000n] }],
      }),
    'ESP_MODEL_INVALID',
    /w/,
  ],
  [
    'a sparse weight of one number that is 4 TB when it is dense',
    () =>
      modelFile({
        ...{ input: [value('x', [1, 4])], output: [value('y', null)], node: [node('Add', ['x', 'w'], ['y'])] },
        sparseInitializer: [
          {
            values: { name: 'w', dataType: Type.FLOAT, dims: [1n], floatData: [1] },
            indices: { dataType: Type.INT64, dims: [1n], int64Data: [5n] },
            dims: [1_000_000n, 1_000_000n],
          },
        ],
      }),
    'ESP_(MODEL_INVALID|RUNTIME_\\w+)',
    /./,
  ],
  [
    'a constant that the runtime would fold to 1 TB',
    () =>
      modelFile({
        ...{ input: [value('x', [1])], output: [value('y', [1])] },
        initializer: weights({ size: ints([500_000, 500_000]) }),
        node: [
          node('ConstantOfShape', ['size'], ['huge'], { attribute: [tensorAttribute('value', floats([1], [1]))] }),
          node('ReduceMax', ['huge'], ['most'], { attribute: [] }),
          node('Add', ['x', 'most'], ['y']),
        ],
      }),
    'ESP_RUNTIME_\\w+',
    /./,
  ],
];

for (const [what, bytes, code, message] of refused) {
  t.test(`${what} is refused, by reading and by building`, async (t) => {
    const file = fileIn(t, bytes());
    const started = performance.now();
    for (const door of [inspectModel, build] as ((file: string) => Promise<unknown>)[]) {
      await t.rejects(door(file), { code: new RegExp(`^${code}$`), message });
    }
    t.ok(performance.now() - started < 20_000, 'within 10 s each');
  });
}

t.test('every flipped byte of a file ends in a coded error or in a model', async (t) => {
  const codes = new Set<string>();
  for (let at = 0; at < 12; at++) {
    const bytes = Uint8Array.from(good);
    const place = Math.floor((at * bytes.length) / 12);
    bytes[place] = bytes[place]! ^ (1 << (at % 8));
    try {
      await inspectModel(fileIn(t, bytes));
    } catch (error) {
      codes.add((error as { code?: string }).code ?? String(error));
    }
  }
  t.ok(
    [...codes].every((code) => code.startsWith('ESP_')),
    [...codes].join(),
  );
});

t.test('a wrong shape of an inner value is a warning', async (t) => {
  const file = fileIn(
    t,
    modelFile({
      ...conv(),
      node: [node('Conv', ['x', 'w'], ['a']), node('Relu', ['a'], ['y'])],
      valueInfo: [value('a', [1, 4, 9, 9])],
    }),
  );
  // The runtime looks at it too, and refuses what does not hold.
  const outcome = await inspectModel(file).then(
    ({ warnings }) => warnings.join(),
    ({ code }) => code,
  );
  t.match(outcome, /a is declared \[1,4,9,9\] and is \[1,4,6,6\]|ESP_RUNTIME_REFUSED/);
});

t.test('50,000 nodes are read', async (t) => {
  const count = 50_000;
  const nodes = Array.from({ length: count }, (_, at) =>
    node(at % 2 ? 'Relu' : 'Identity', [at ? `v${at}` : 'x'], [at === count - 1 ? 'y' : `v${at + 1}`]),
  );
  const file = fileIn(t, modelFile({ input: [value('x', [1, 8])], output: [value('y', [1, 8])], node: nodes }));
  const started = performance.now();
  t.match(await inspectModel(file), { operators: { Relu: count / 2 } });
  t.comment(`${(performance.now() - started).toFixed(0)} ms`);
});

t.test('calibration data that does not fit is refused by the name of the input', async (t) => {
  const file = fileIn(t, good);
  const dir = path.dirname(file);
  writeFileSync(path.join(dir, 'data.bin'), Buffer.alloc(3073 * 2));
  await t.rejects(build(file, { calibrate: `cifar10:${dir}/data.bin` }), {
    code: 'ESP_DATA_UNFIT',
    message: /input x: \[3,32,32\] given, \[3,8,8\] wanted/,
  });
});
