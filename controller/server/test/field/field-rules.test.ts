/** The pure rules of field samples: what is admitted, what fits a model, how an input becomes a picture and an .npy file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openDataset } from '@espalier/compression/data/dataset';
import { normalizeInto, type Preprocess } from '@espalier/proto';
import { admit, MODEL_BYTES_MAX } from '@espalier/server/field/admit';
import { misfit, unfitReason } from '@espalier/server/field/fits-model';
import { NPY_TYPES, npyHead } from '@espalier/server/field/npy';
import { isPicture, pixelsOf } from '@espalier/server/field/picture';
import t from 'tap';

const policy = { perDay: 20, bytesMax: 1000, retentionDays: 30 };
const NOW = Date.UTC(2026, 5, 15, 12);
const DAY = 86_400_000;

t.test('a device may lie about everything and still fills no disk', async (t) => {
  const room = { policy, takenThatDay: 0, bytesLately: 0, modelBytes: 0 };
  for (const [name, state, takenMs, bytes, kind] of [
    ['the first', room, NOW, 100, 'take'],
    ['of a clock that is a little ahead', room, NOW + 60_000, 100, 'take'],
    ['of tomorrow', room, NOW + DAY, 100, 'refuse'],
    ['of the last day that is kept', room, NOW - 30 * DAY + 1, 100, 'take'],
    ['of the day before', room, NOW - 30 * DAY, 100, 'refuse'],
    ['the last of a day', { ...room, takenThatDay: 19 }, NOW, 100, 'take'],
    ['one more', { ...room, takenThatDay: 20 }, NOW, 100, 'refuse'],
    ['up to the last byte', { ...room, bytesLately: 900 }, NOW, 100, 'take'],
    ['one byte more', { ...room, bytesLately: 900 }, NOW, 101, 'later'],
    ['when the model is full', { ...room, modelBytes: MODEL_BYTES_MAX }, NOW, 1, 'later'],
  ] as const)
    t.equal(admit(state, takenMs, bytes, NOW).kind, kind, name);
});

const tensor = (name: string, shape: (number | string)[], type = 'float32') => ({ name, type, shape });

t.test('only a classifier with one input of a kind that data sets hold is sampled', async (t) => {
  const outputs = [tensor('scores', ['N', 10])];
  t.equal(unfitReason({ inputs: [tensor('x', ['N', 3, 8, 8])], outputs }), null);
  t.match(unfitReason({ inputs: [tensor('x', ['N', 8]), tensor('y', ['N', 8])], outputs }), /2 inputs/);
  t.match(unfitReason({ inputs: [tensor('x', ['N', 8], 'string')], outputs }), /string/);
  t.match(unfitReason({ inputs: [tensor('x', ['N', 8])], outputs: [tensor('boxes', ['N', 6, 8])] }), /class scores/);
});

t.test('a sample fits in type, shape and length; a dimension without a size takes any', async (t) => {
  const info = { inputs: [tensor('x', ['N', 1, 'length'])], outputs: [tensor('scores', ['N', 3])] };
  const sample = (shape: number[], bytes: number, type: 'float32' | 'int8' = 'float32') => ({
    header: {
      ...{ version: 1 as const, id: crypto.randomUUID(), digest: 'a'.repeat(64), takenAt: new Date().toISOString() },
      ...{ guess: 2, confidence: 0.4, input: { name: 'x', type, shape } },
    },
    values: new Uint8Array(bytes),
  });
  t.equal(misfit(sample([1, 7], 28), info), null);
  const odd = sample([1, 7], 28);
  new Float32Array(odd.values.buffer)[3] = Number.NaN;
  t.match(misfit(odd, info), /no numbers/);
  t.match(misfit(sample([1, 7], 27), info), /27 bytes/);
  t.match(misfit(sample([2, 7], 56), info), /the model takes/);
  t.match(misfit(sample([7], 28), info), /the model takes/);
  t.match(misfit(sample([1, 7], 7, 'int8'), info), /int8/);
});

t.test('a picture comes back to the pixel, in every layout and order of colours', async (t) => {
  const data = Uint8Array.from({ length: 4 * 5 * 3 }, (_, at) => (at * 37) % 256);
  for (const layout of ['NCHW', 'NHWC'] as const)
    for (const color of ['RGB', 'BGR', 'GRAY'] as const) {
      const channels = color === 'GRAY' ? 1 : 3;
      const record: Preprocess = {
        ...{ version: 1, input: 'x', layout, color, resize: null, scale: 1 / 255 },
        ...{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      };
      const pixels = { data: data.subarray(0, 20 * channels), width: 5, height: 4, channels };
      const out = new Float32Array(20 * channels);
      normalizeInto(pixels, record, out);
      const shape = layout === 'NCHW' ? [channels, 4, 5] : [4, 5, channels];
      const found = pixelsOf(new Uint8Array(out.buffer), { name: 'x', type: 'float32', shape }, record);
      t.strictSame({ ...found, data: [...found!.data] }, { ...pixels, data: [...pixels.data] }, `${layout} ${color}`);
      t.notOk(isPicture(shape, { ...record, color: null }));
      t.notOk(isPicture([12], record));
    }
});

t.test('what is written as .npy is what the engine reads', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-npy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const values = Float32Array.from({ length: 12 }, (_, at) => at / 3);
  const head = npyHead(NPY_TYPES.float32, [2, 2, 3]);
  t.equal(head.length % 64, 0, 'as the format asks for');
  writeFileSync(path.join(folder, 'input.npy'), Buffer.concat([head, Buffer.from(values.buffer)]));
  const labels = Buffer.from(Int32Array.of(4, 1).buffer);
  writeFileSync(path.join(folder, 'labels.npy'), Buffer.concat([npyHead(NPY_TYPES.int32, [2]), labels]));
  const data = await openDataset(`npy:${folder}`);
  t.match(data, { n: 2, labelled: true, classes: 5, sampleShape: [2, 3] });
  t.strictSame([...data.labels!], [4, 1]);
  const second = await data.read(1);
  t.strictSame(second.kind === 'inputs' && [...second.inputs.input!], [...values.subarray(6)]);
});
