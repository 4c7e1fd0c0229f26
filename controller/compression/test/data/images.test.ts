import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findPreprocess } from '@espalier/compression/data/preprocess';
import { readModel } from '@espalier/compression/onnx/codec';
import { cropPixels, fitImage, Preprocess, resizePixels } from '@espalier/proto';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { tinyGraph } from '../support/tiny.ts';

const row = (values: number[], channels = 1) => ({
  data: Uint8Array.from(values),
  width: values.length / channels,
  height: 1,
  channels,
});

t.test('enlarging three times: centres at half coordinates, edges held', async (t) => {
  const { data } = resizePixels(row([0, 90, 30, 255]), 12, 1, 'linear');
  t.strictSame([...data], [0, 0, 30, 60, 90, 70, 50, 30, 105, 180, 255, 255]);
});

t.test('shrinking widens the filter: every source pixel counts', async (t) => {
  t.strictSame([...resizePixels(row([0, 100, 0, 100, 0, 100, 0, 100]), 4, 1, 'linear').data], [43, 50, 50, 57]);
  t.strictSame([...resizePixels(row([0, 100, 0, 100, 0, 100, 0, 100]), 4, 1, 'nearest').data], [100, 100, 100, 100]);
});

t.test('every kernel leaves a flat image flat', async (t) => {
  const flat = { data: new Uint8Array(7 * 5 * 3).fill(77), width: 7, height: 5, channels: 3 };
  for (const kernel of ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'] as const) {
    const found = resizePixels(flat, 11, 3, kernel);
    t.ok(
      found.data.every((value) => value === 77),
      kernel,
    );
  }
});

const record = (parts: object): Preprocess =>
  Preprocess.parse({
    version: 1,
    input: 'x',
    layout: 'NCHW',
    color: null,
    resize: null,
    scale: 1,
    mean: [],
    std: [],
    ...parts,
  });

t.test('crop mode scales the short side and takes the middle', async (t) => {
  const wide = { data: Uint8Array.from({ length: 32 }, (_, at) => (at % 8) * 10), width: 8, height: 4, channels: 1 };
  const resize = { width: 2, height: 2, mode: 'crop', resizeShort: 4, kernel: 'nearest' };
  t.strictSame([...fitImage(wide, record({ resize })).data], [30, 40, 30, 40]);
  t.strictSame([...cropPixels(wide, 6, 0, 2, 1).data], [60, 70]);
});

t.test('a grey model gets grey from RGB, an RGB model gets grey repeated', async (t) => {
  t.strictSame([...fitImage(row([255, 0, 0], 3), record({ color: 'GRAY' })).data], [76]);
  t.strictSame([...fitImage(row([9]), record({ color: 'RGB' })).data], [9, 9, 9]);
});

t.test('a record is taken from the file given, then from beside the model', async (t) => {
  const dir = t.testdir();
  const graph = tinyGraph({ inputs: { x: [1] }, outputs: ['y'], nodes: [['Relu', ['x'], ['y']]] });
  const given = path.join(dir, 'given.json');
  writeFileSync(given, JSON.stringify(record({ scale: 5 })));
  t.equal((await findPreprocess(path.join(dir, 'm.onnx'), graph)).record, null);
  writeFileSync(path.join(dir, 'm.preprocess.json'), JSON.stringify(record({ scale: 7 })));
  t.equal((await findPreprocess(path.join(dir, 'm.onnx'), graph)).record?.scale, 7);
  t.equal((await findPreprocess(path.join(dir, 'm.onnx'), graph, given)).record?.scale, 5);
  t.match((await findPreprocess(sample.model, await readModel(sample.model))).record, { color: 'GRAY' });
});

t.test('a broken record is refused with the field', async (t) => {
  const dir = t.testdir({ 'no-json.json': '{', 'zero.json': JSON.stringify({ ...record({}), std: [0] }) });
  const graph = tinyGraph({ inputs: { x: [1] }, outputs: ['y'], nodes: [['Relu', ['x'], ['y']]] });
  for (const file of ['no-json.json', 'zero.json', 'absent.json']) {
    await t.rejects(findPreprocess('m.onnx', graph, path.join(dir, file)), { code: 'ESP_PREPROCESS_INVALID' }, file);
  }
  await t.rejects(findPreprocess('m.onnx', graph, path.join(dir, 'zero.json')), { message: /std\.0/ });
});
