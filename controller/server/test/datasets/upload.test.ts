/** Uploaded data: unpacked only below its own folder, recognised by its layout, and the same archive once. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { entryPath } from '@espalier/server/datasets/entry-path';
import { untar } from '@espalier/server/datasets/untar';
import { unzip } from '@espalier/server/datasets/unzip';
import { zipSync } from 'fflate';
import t from 'tap';
import { openWork, SAMPLE, scratchFolder } from '../support/work.ts';

const LIMITS = { filesMax: 5, fileBytesMax: 1000, totalBytesMax: 2000 };
const scratch = scratchFolder(t);
const work = await openWork(path.join(scratch, 'data'));
t.teardown(() => work.database.close());
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
let made = 0;
const file = (bytes: Uint8Array): string => {
  const name = path.join(scratch, `archive-${made++}`);
  writeFileSync(name, bytes);
  return name;
};
const folder = (): string => {
  const name = path.join(scratch, `into-${made++}`);
  mkdirSync(name);
  return name;
};

/** One ustar entry. */
function entry(name: string, body = '', type = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(body.length.toString(8).padStart(11, '0'), 124);
  header.write(type, 156);
  header.write('ustar', 257);
  return Buffer.concat([header, Buffer.from(body), Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
const tarOf = (...entries: Buffer[]): string => file(gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)])));

for (const [name, made] of [
  ['a/b.png', 'a/b.png'],
  ['./a//b.png', 'a/b.png'],
  ['a\\b.png', 'a/b.png'],
  ['a/', null],
  ['__MACOSX/a.png', null],
  ['.DS_Store', null],
] as const) {
  t.test(`an entry ${name} becomes ${made}`, async (t) => t.equal(entryPath(name), made));
}
for (const name of ['../a', 'a/../../b', '/etc/passwd', 'C:/a', 'a\0b', '..\\a', 'a/'.repeat(300).concat('b')]) {
  t.test(`an entry ${JSON.stringify(name.slice(0, 20))} is refused, in a tar and in a zip`, async (t) => {
    t.throws(() => entryPath(name), { code: 'ESP_DATASET_UNSAFE' });
    const into = folder();
    if (name.length < 100 && !name.includes('\0'))
      await t.rejects(untar(tarOf(entry(name, 'x')), into, LIMITS), { code: 'ESP_DATASET_UNSAFE' });
    await t.rejects(unzip(file(zipSync({ [name]: text('x') })), into, LIMITS), { code: 'ESP_DATASET_UNSAFE' });
    t.strictSame(readdirSync(into), []);
  });
}

t.test('a link in a tar is refused: it could lead out', async (t) => {
  await t.rejects(untar(tarOf(entry('link', '', '2')), folder(), LIMITS), { code: 'ESP_DATASET_UNSAFE' });
});

t.test('archives that unpack to too much are stopped', async (t) => {
  const many = Array.from({ length: 6 }, (_, index) => entry(`f${index}`, 'x'));
  await t.rejects(untar(tarOf(...many), folder(), LIMITS), { code: 'ESP_DATASET_TOO_LARGE', message: /files/ });
  const big = file(zipSync({ bomb: new Uint8Array(1_000_000) }));
  await t.rejects(unzip(big, folder(), LIMITS), { code: 'ESP_DATASET_TOO_LARGE', message: /one file/ });
  const sum = tarOf(entry('a', 'x'.repeat(900)), entry('b', 'x'.repeat(900)), entry('c', 'x'.repeat(900)));
  await t.rejects(untar(sum, folder(), LIMITS), { code: 'ESP_DATASET_TOO_LARGE', message: /in all/ });
});

t.test('archives that are cut off are refused', async (t) => {
  const cut = file(gzipSync(entry('a', 'x'.repeat(900)).subarray(0, 700)));
  await t.rejects(untar(cut, folder(), LIMITS), { code: 'ESP_DATASET_UNSAFE', message: /cut off/ });
});

t.test('what the system’s tar made is read as it wrote it, long names too', async (t) => {
  const from = folder();
  const long = `${'n'.repeat(90)}/${'m'.repeat(90)}.txt`;
  mkdirSync(path.join(from, path.dirname(long)));
  writeFileSync(path.join(from, long), 'long');
  writeFileSync(path.join(from, 'b.txt'), 'b'.repeat(700));
  for (const format of ['gnu', 'pax', 'ustar']) {
    const archive = path.join(scratch, `${format}.tar.gz`);
    t.equal(spawnSync('tar', [`--format=${format}`, '-czf', archive, '-C', from, '.']).status, 0);
    const into = folder();
    t.strictSame((await untar(archive, into, LIMITS)).sort(), ['b.txt', long]);
    t.equal(statSync(path.join(into, 'b.txt')).size, 700);
  }
});

t.test(
  'an idx pair becomes a data set: even records calibrate, odd ones evaluate; the same archive is the same set',
  async (t) => {
    const from = folder();
    for (const part of ['images-idx3', 'labels-idx1']) {
      copyFileSync(`${SAMPLE}/test-subset-${part}-ubyte.gz`, path.join(from, `test-${part}-ubyte.gz`));
    }
    const archive = path.join(scratch, 'idx.tar.gz');
    spawnSync('tar', ['-czf', archive, '-C', from, '.']);
    const dataset = await work.datasets.upload('fashion', archive, statSync(archive).size);
    t.match(dataset, { name: 'fashion', labelled: true, calibrationSamples: 1000, evaluationSamples: 1000 });
    t.equal((await work.datasets.upload('again', archive, 1)).id, dataset.id);
  },
);

t.test('images with a labels.csv in a zip become a data set', async (t) => {
  const { default: sharp } = await import('sharp');
  const png = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const names = ['a.png', 'b.png', 'c.png', 'd.png'];
  const csv = `file,label\n${names.map((name, index) => `${name},${index % 2}`).join('\n')}\n`;
  const images = Object.fromEntries(names.map((name) => [`set/images/${name}`, new Uint8Array(png)]));
  const archive = file(zipSync({ 'set/labels.csv': text(csv), ...images }));
  const dataset = await work.datasets.upload('pictures', archive, 1);
  t.match(dataset, { labelled: true, calibrationSamples: 2, evaluationSamples: 2 });
});

t.test('what is no data set is refused with what it holds, and leaves nothing behind', async (t) => {
  const archive = file(zipSync({ 'readme.txt': text('hello') }));
  await t.rejects(work.datasets.upload('none', archive, 1), { code: 'ESP_DATASET_LAYOUT', message: /readme\.txt/ });
  await t.rejects(work.datasets.upload('none', file(text('plain text')), 1), { code: 'ESP_DATASET_FORMAT' });
  const link = folder();
  symlinkSync('/etc', path.join(link, 'images'));
  const tar = path.join(scratch, 'link.tar.gz');
  spawnSync('tar', ['-czf', tar, '-C', link, '.']);
  await t.rejects(work.datasets.upload('link', tar, 1), { code: 'ESP_DATASET_UNSAFE' });
  const kept = readdirSync(path.join(scratch, 'data', 'datasets'));
  t.equal(kept.length, 2, 'the two good ones');
  t.notOk(kept.some((name) => name.endsWith('.tmp')));
  t.ok(existsSync(path.join(scratch, 'data')));
});
