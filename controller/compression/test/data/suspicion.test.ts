/** Images that are read in another order or range than the model was made for are suspected, and right ones are not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openDataset } from '@espalier/compression/data/dataset';
import { batches, randomFrom } from '@espalier/compression/data/feeds';
import { isBetter, otherReadings, suspicions } from '@espalier/compression/data/suspicion';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { defaultOptions, Session } from '@espalier/compression/runtime/session';
import type { Preprocess } from '@espalier/proto';
import t from 'tap';
import { floats, tinyGraph } from '../support/tiny.ts';

const SIDE = 32;
const COUNT = 120;

/** Cifar records of three classes: red, blue, and nearly grey with a touch of either. */
function records(): Buffer {
  const random = randomFrom(7);
  return Buffer.concat(
    Array.from({ length: COUNT }, (_, at) => {
      const label = at % 3;
      const [r, g, b] = [
        [120, 30, 20],
        [20, 30, 120],
        [90 + (at % 2) * 10, 90, 90 + ((at + 1) % 2) * 10],
      ][label]!;
      const plane = (value: number) => Buffer.from(Array.from({ length: SIDE * SIDE }, () => value + random() * 20));
      return Buffer.concat([Buffer.from([label]), plane(r!), plane(g!), plane(b!)]);
    }),
  );
}

/** Logits 20 (R - B), 20 (B - R) and 4, from values of 0..1: in 0..255 a touch of a colour passes for all of it. */
const model = tinyGraph({
  inputs: { x: ['N', 3, SIDE, SIDE] },
  outputs: ['y'],
  constants: {
    w: floats([3, 3, 1, 1], [20, 0, -20, -20, 0, 20, 0, 0, 0]),
    b: floats([3], [0, 0, 4]),
  },
  nodes: [
    ['Conv', ['x', 'w', 'b'], ['c']],
    ['GlobalAveragePool', ['c'], ['p']],
    ['Flatten', ['p'], ['y']],
  ],
});
const record = (parts: Partial<Preprocess> = {}): Preprocess => ({
  ...{ version: 1, input: 'x', layout: 'NCHW', color: 'RGB', resize: null, scale: 1 / 255, mean: [], std: [] },
  ...parts,
});

async function said(dir: string, preprocess: Preprocess | null) {
  writeFileSync(path.join(dir, 'data.bin'), records());
  const data = await openDataset(`cifar10:${path.join(dir, 'data.bin')}`);
  const session = await Session.open(encodeModel(model), 'm', defaultOptions);
  try {
    return await suspicions(session, data, { inputs: session.inputs, preprocess, batchSize: 8, seed: 1 });
  } finally {
    await session.dispose();
  }
}

t.test('the right record gives no word', async (t) => {
  t.strictSame(await said(t.testdir(), record()), []);
});

t.test('colours the wrong way round', async (t) => {
  const found = await said(t.testdir(), record({ color: 'BGR' }));
  t.match(found, [/with colours in the order RGB the float model gets 100\.0% of 120 samples right, as given 33\.3%/]);
});

t.test('0..255 for 0..1, without a record', async (t) => {
  t.match(await said(t.testdir(), null), [/with values of 0\.\.1 the float model gets 100\.0%/]);
});

t.test('which readings there are', async (t) => {
  const input = (shape: (number | string)[]) => ({ name: 'x', type: 'float32', shape });
  const names = (...args: Parameters<typeof otherReadings>) => otherReadings(...args).map(({ what }) => what);
  t.strictSame(names(record(), input(['N', 3, 8, 8]), [8, 8, 3]), ['colours in the order BGR', 'values of 0..255']);
  t.match(names(record({ scale: 1 }), input(['N', 'c', 'h', 'w']), [8, 8, 3]), [
    /BGR/,
    'values of 0..1',
    'channels last',
  ]);
  t.strictSame(names(record({ color: 'GRAY' }), input(['N', 1, 8, 8]), [8, 8, 1]), ['values of 0..255']);
});

t.test('a few samples more are no reason', async (t) => {
  const list = (right: number, of: number) => Array.from({ length: of }, (_, at) => at < right);
  t.equal(isBetter(list(50, 64), list(54, 64)), false, 'four more of 64 may be chance');
  t.equal(isBetter(list(50, 64), list(60, 64)), true);
  t.equal(isBetter(list(1000, 2000), list(1020, 2000)), false, 'one point is no other reading');
});

t.test('arrays whose axes are in another order are refused', async (t) => {
  const npy = (shape: number[]): Buffer => {
    const text = `${`{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117)}\n`;
    const length = Buffer.alloc(2);
    length.writeUInt16LE(text.length);
    const size = shape.reduce((product, dim) => product * dim, 1);
    return Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
      length,
      Buffer.from(text),
      Buffer.alloc(4 * size),
    ]);
  };
  const first = async (shape: number[], wanted: (number | string)[]) => {
    const dir = path.join(t.testdir(), shape.join('x'));
    mkdirSync(dir, { recursive: true });
    writeFileSync(path.join(dir, 'x.npy'), npy(shape));
    const inputs = [{ name: 'x', type: 'float32', shape: wanted }];
    const feeding = { inputs, preprocess: null, batchSize: 1, seed: 1 };
    for await (const batch of batches(await openDataset(`npy:${dir}`), feeding)) return batch.feeds.x?.dims;
    return null;
  };
  await t.rejects(first([2, 8, 6, 3], ['N', 3, 8, 6]), {
    code: 'ESP_DATA_UNFIT',
    message: /\[8,6,3\] a sample given, \[3,8,6\] wanted: the axes are in another order/,
  });
  t.strictSame(await first([2, 8, 6], ['N', 1, 8, 6]), [1, 1, 8, 6], 'a channel of its own is no other order');
  t.strictSame(await first([2, 3, 8, 6], ['N', 3, 8, 6]), [1, 3, 8, 6]);
});
