import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { splitCsvLine } from '@espalier/compression/data/csv';
import { describeDataset, openDataset } from '@espalier/compression/data/dataset';
import { batches } from '@espalier/compression/data/feeds';
import type { Preprocess } from '@espalier/proto';
import sharp from 'sharp';
import t from 'tap';
import { sample } from '../support/sample.ts';

const cifarRecord = (label: number, red: number) =>
  Buffer.concat([Buffer.of(label), Buffer.alloc(1024, red), Buffer.alloc(1024, 20), Buffer.alloc(1024, 30)]);

t.test('cifar10: planes become interleaved pixels, packed or not', async (t) => {
  const dir = t.testdir();
  const bytes = Buffer.concat([cifarRecord(3, 10), cifarRecord(7, 11)]);
  writeFileSync(path.join(dir, 'a.bin'), bytes);
  writeFileSync(path.join(dir, 'a.bin.gz'), gzipSync(bytes));
  for (const file of ['a.bin', 'a.bin.gz']) {
    const data = await openDataset(`cifar10:${dir}/${file}?from=1`);
    t.match(data, { n: 1, labelled: true, classes: 8, sampleShape: [32, 32, 3] });
    const content = await data.read(0);
    t.strictSame(content.kind === 'image' && [...content.pixels.data.subarray(0, 6)], [11, 20, 30, 11, 20, 30]);
  }
  writeFileSync(path.join(dir, 'cut.bin'), bytes.subarray(0, 5000));
  await t.rejects(openDataset(`cifar10:${dir}/cut.bin`), { code: 'ESP_DATA_UNREADABLE', message: /3073 bytes/ });
});

t.test('of packed records no more are unpacked than are asked for', async (t) => {
  const dir = t.testdir();
  const packed = gzipSync(Buffer.concat([cifarRecord(3, 10), cifarRecord(7, 11), Buffer.alloc(1 << 20, 1)]));
  writeFileSync(path.join(dir, 'broken.bin.gz'), packed.subarray(0, packed.length - 40));
  const data = await openDataset(`cifar10:${dir}/broken.bin.gz?to=2`);
  t.strictSame([...data.labels!], [3, 7]);
  await t.rejects(openDataset(`cifar10:${dir}/broken.bin.gz`), { code: 'ESP_DATA_UNREADABLE' });
});

t.test('idx: the sample’s images and labels', async (t) => {
  t.strictSame(await describeDataset(sample.evaluate), {
    spec: sample.evaluate,
    n: 500,
    labelled: true,
    classes: 10,
    sampleShape: [28, 28, 1],
  });
  await t.rejects(openDataset('idx:/nowhere/a,/nowhere/b'), { code: 'ESP_DATA_UNREADABLE', message: /ENOENT/ });
});

t.test('csv: rows in the order of file names, whatever the order of the table', async (t) => {
  const dir = t.testdir({ 'l.csv': 'image,label,note\nb.png,4,"x, y"\na.png,2,\n' });
  mkdirSync(path.join(dir, 'images'));
  for (const [name, value] of [
    ['a.png', 10],
    ['b.png', 200],
  ] as const) {
    const create = { width: 4, height: 2, channels: 3 as const, background: { r: value, g: 0, b: 0 } };
    await sharp({ create })
      .png()
      .toFile(path.join(dir, 'images', name));
  }
  const data = await openDataset(`csv:${dir}/l.csv?images=${dir}/images`);
  t.strictSame([...data.labels!], [2, 4]);
  t.strictSame(data.sampleShape, [2, 4, 3]);
  const content = await data.read(1);
  t.equal(content.kind === 'image' && content.pixels.data[0], 200);
});

t.test('csv: a table without a column of files, or with a label that is no number, is refused', async (t) => {
  const dir = t.testdir({ 'a.csv': 'name,label\nx,1\n', 'b.csv': 'file,label\nx.png,cat\n' });
  await t.rejects(openDataset(`csv:${dir}/a.csv`), { code: 'ESP_DATA_UNREADABLE', message: /no column/ });
  await t.rejects(openDataset(`csv:${dir}/b.csv`), { code: 'ESP_DATA_UNREADABLE', message: /"cat"/ });
  t.strictSame(splitCsvLine('a,"b, ""c""",'), ['a', 'b, "c"', '']);
});

t.test('kws: int8 values with the affine part of the record', async (t) => {
  const dir = t.testdir();
  writeFileSync(path.join(dir, 'k.bin'), Buffer.concat([Buffer.of(5), Buffer.alloc(490, 0xff)]));
  const data = await openDataset(`kws:${dir}/k.bin`);
  const record: Preprocess = {
    version: 1,
    input: 'x',
    layout: 'NCHW',
    color: null,
    resize: null,
    scale: 1,
    mean: [],
    std: [],
    affine: { zero: 83, scale: 0.5 },
  };
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 1, 49, 10] }];
  for await (const { feeds, labels } of batches(data, { inputs, preprocess: record, batchSize: 4, seed: 1 })) {
    t.strictSame([feeds.x!.dims, [...labels!]], [[1, 1, 49, 10], [5]]);
    t.equal((feeds.x!.data as Float32Array)[0], (-1 - 83) * 0.5);
  }
});

/** A .npy file, version 1, of float32. */
function npy(shape: number[], values: number[]): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${header}`, 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(Float32Array.from(values).buffer)]);
}

t.test('list: several SPECs of whatever kinds, one after the other, labelled when all are', async (t) => {
  const dir = t.testdir();
  writeFileSync(path.join(dir, 'a.npy'), npy([3, 2], [1, 2, 3, 4, 5, 6]));
  writeFileSync(path.join(dir, 'labels.npy'), npy([3], [0, 1, 2]));
  const file = path.join(dir, 'all.list');
  const open = (text: string, options = '') => {
    writeFileSync(file, text);
    return openDataset(`list:${file}${options}`);
  };
  const joined = await open(`npy:${dir}\r\n\nnpy:${dir}?from=2\n`);
  t.match(joined, { n: 4, labelled: true, classes: 3, sampleShape: [2] });
  t.strictSame([...joined.labels!], [0, 1, 2, 2]);
  t.strictSame(await joined.read(3), await joined.read(2));
  const mixed = await open(`npy:${dir}\nrandom:2\n`, '?from=2');
  t.match(mixed, { n: 3, labelled: false, labels: null });
  t.strictSame((await mixed.read(1)).kind, 'random');
  await t.rejects(open(`list:${file}`), { code: 'ESP_DATA_UNREADABLE', message: /another list/ });
  await t.rejects(open('\n'), { code: 'ESP_DATA_UNREADABLE', message: /no SPEC/ });
  await t.rejects(open('photos'), { code: 'ESP_DATA_SPEC_INVALID' });
});

t.test('npy: one array for each input, by name', async (t) => {
  const dir = t.testdir();
  writeFileSync(path.join(dir, 'a.npy'), npy([3, 2], [1, 2, 3, 4, 5, 6]));
  writeFileSync(path.join(dir, 'labels.npy'), npy([3], [0, 1, 2]));
  const data = await openDataset(`npy:${dir}?from=1`);
  t.match(data, { n: 2, labelled: true, classes: 3, sampleShape: [2] });
  const content = await data.read(1);
  t.strictSame(content.kind === 'inputs' && [...content.inputs.a!], [5, 6]);
  const inputs = [
    { name: 'other', type: 'float32', shape: ['N', 2] },
    { name: 'a', type: 'float32', shape: ['N', 2] },
  ];
  const reading = batches(data, { inputs, preprocess: null, batchSize: 1, seed: 1 }).next();
  await t.rejects(reading, { code: 'ESP_DATA_UNFIT', message: /no other\.npy/ });
});

t.test('random: the same numbers for the same seed, and no labels', async (t) => {
  const data = await openDataset('random:2');
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 8] }];
  const draw = async (seed: number) => {
    const all: number[] = [];
    for await (const { feeds } of batches(data, { inputs, preprocess: null, batchSize: 2, seed })) {
      all.push(...(feeds.x!.data as Float32Array));
    }
    return all;
  };
  t.equal(data.labelled, false);
  t.strictSame(await draw(1), await draw(1));
  t.notSame(await draw(1), await draw(9));
});

t.test('images that do not fit the input are refused with both sizes', async (t) => {
  const data = await openDataset(`${sample.evaluate}`);
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 1, 32, 32] }];
  const reading = batches(data, { inputs, preprocess: null, batchSize: 1, seed: 1 }).next();
  await t.rejects(reading, { code: 'ESP_DATA_UNFIT', message: /1,28,28.*1,32,32/ });
});

t.test('a fixed batch is filled up with the last sample, and the real ones are counted', async (t) => {
  const data = await openDataset(`${sample.evaluate.replace('to=500', 'to=3')}`);
  const inputs = [{ name: 'x', type: 'float32', shape: [2, 1, 28, 28] }];
  const sizes: number[][] = [];
  for await (const { feeds, size } of batches(data, { inputs, preprocess: null, batchSize: 8, seed: 1 })) {
    sizes.push([feeds.x!.dims[0]!, size]);
  }
  t.strictSame(sizes, [
    [2, 2],
    [2, 1],
  ]);
});

t.test('an aborted signal ends the stream with its reason', async (t) => {
  const data = await openDataset('random:100');
  const stop = new AbortController();
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 2] }];
  const stream = batches(data, { inputs, preprocess: null, batchSize: 1, seed: 1, signal: stop.signal });
  await stream.next();
  stop.abort(new Error('enough'));
  await t.rejects(stream.next(), { message: 'enough' });
});
