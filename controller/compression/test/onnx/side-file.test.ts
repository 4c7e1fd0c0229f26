/** External data: what is read, what is refused by the tensor's name, and what is written. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { encodeModel, parseModel, readModel, readWhole, writeModel } from '@espalier/compression/onnx/codec';
import {
  TensorProto_DataLocation as Location,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from '@espalier/compression/onnx/gen/onnx_pb';
import { Type } from '@espalier/compression/onnx/tensor';
import t, { type Test } from 'tap';
import { graphAttribute, message, node, outputBytes, value } from '../support/message.ts';
import { sample } from '../support/sample.ts';
import { floats, noise } from '../support/tiny.ts';

type Entries = Readonly<Record<string, string>>;

const external = (name: string, dims: bigint[], entries: Entries): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dims,
    dataType: Type.FLOAT,
    dataLocation: Location.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  });

/** y = x + w, with w of two floats where the entries say. Returns the model's folder and file. */
function adding(t: Test, entries: Entries, dims = [2n]): { folder: string; file: string } {
  const folder = path.join(t.testdir({ model: {} }), 'model');
  const model = message({
    input: [value('x', [1, 2])],
    output: [value('y')],
    initializer: [external('w', dims, entries)],
    node: [node('Add', ['x', 'w'], ['y'])],
  });
  writeFileSync(path.join(folder, 'w.bin'), new Uint8Array(floats([2], [1, 2]).bytes));
  const file = path.join(folder, 'm.onnx');
  writeFileSync(file, toBinary(ModelProtoSchema, model));
  return { folder, file };
}

for (const [what, entries, why] of [
  ['above the folder', { location: '../w.bin' }, /leaves the folder/],
  ['above the folder, round about', { location: 'a/../../w.bin' }, /leaves the folder/],
  ['above the folder, as on Windows', { location: '..\\w.bin' }, /leaves the folder/],
  ['at an absolute place', { location: '/etc/hostname' }, /leaves the folder/],
  ['on a drive', { location: 'C:\\w.bin' }, /leaves the folder/],
  ['nowhere', {}, /names no file/],
  ['with a NUL in its name', { location: 'w.bin\0.txt' }, /names no file/],
  ['in the folder itself', { location: './' }, /names no file/],
  ['in a file that is not there', { location: 'gone.bin' }, /ENOENT/],
  ['before the start', { location: 'w.bin', offset: '-4' }, /no byte counts/],
  ['at no number', { location: 'w.bin', offset: 'first' }, /no byte counts/],
  ['past the end', { location: 'w.bin', offset: '9007199254740000' }, /early/],
  ['longer than its shape', { location: 'w.bin', length: '4' }, /needs 8 bytes, not 4/],
] as [string, Entries, RegExp][]) {
  t.test(`data ${what} is refused by the name of the tensor`, async (t) => {
    const { file } = adding(t, entries);
    await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: why, details: { tensor: 'w' } });
    if (entries.location) await t.rejects(readWhole(file), { code: 'ESP_MODEL_EXTERNAL_DATA' });
  });
}

t.test('a shape of petabytes is refused before memory is asked for', async (t) => {
  const { file } = adding(t, { location: 'w.bin' }, [1n << 40n, 1024n]);
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA' });
});

t.test('a hole of a terabyte that a tensor claims is refused', async (t) => {
  const { folder, file } = adding(t, { location: 'w.bin' }, [1n << 38n]);
  truncateSync(path.join(folder, 'w.bin'), 2 ** 40);
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: /memory/ });
});

t.test('a file that ends early is refused', async (t) => {
  const { folder, file } = adding(t, { location: 'w.bin' });
  truncateSync(path.join(folder, 'w.bin'), 7);
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: /1 bytes early/ });
});

t.test('a link out of the folder is refused, one that stays inside is followed', async (t) => {
  const { folder, file } = adding(t, { location: 'link.bin' });
  writeFileSync(path.join(folder, '..', 'secret.bin'), new Uint8Array(8));
  symlinkSync(path.join(folder, '..', 'secret.bin'), path.join(folder, 'link.bin'));
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: /link/ });
  const inside = adding(t, { location: 'link.bin' });
  symlinkSync('w.bin', path.join(inside.folder, 'link.bin'));
  t.equal((await readModel(inside.file)).constants.get('w')!.bytes.length, 8);
});

t.test('a folder, or a pipe that nobody writes to, is refused and not waited for', async (t) => {
  const { folder, file } = adding(t, { location: 'odd' });
  mkdirSync(path.join(folder, 'odd'));
  await t.rejects(readModel(file), { code: 'ESP_MODEL_EXTERNAL_DATA' });
  const pipe = adding(t, { location: 'odd' });
  execFileSync('mkfifo', [path.join(pipe.folder, 'odd')]);
  await t.rejects(readModel(pipe.file), { code: 'ESP_MODEL_EXTERNAL_DATA', message: /not a file/ });
});

t.test(
  'data of attributes and subgraphs may lie outside too; tensors of one file are views of one buffer',
  async (t) => {
    const folder = t.testdir();
    const one = (offset: string) => external('', [2n], { location: 'w.bin', offset });
    const branch = (name: string, opType: string, offset: string) => ({
      name,
      output: [value(name)],
      initializer: [Object.assign(one(offset), { name: `${name}w` })],
      node: [node(opType, ['x', `${name}w`], [name])],
    });
    const model = message({
      input: [value('x', [1, 2])],
      output: [value('y'), value('k')],
      initializer: [Object.assign(one('16'), { name: 'c' })],
      node: [
        node('Constant', [], ['k'], { attribute: [{ name: 'value', type: 4, t: one('8') }] }),
        node('ReduceMax', ['c'], ['m'], { attribute: [{ name: 'keepdims', type: 2, i: 0n }] }),
        node('Greater', ['m', 'm'], ['condition']),
        node('If', ['condition'], ['y'], {
          attribute: [
            graphAttribute('then_branch', branch('a', 'Add', '0')),
            graphAttribute('else_branch', branch('b', 'Mul', '0')),
          ],
        }),
      ],
    });
    writeFileSync(path.join(folder, 'w.bin'), new Uint8Array(floats([6], [1, 2, 3, 4, 5, 6]).bytes));
    const file = path.join(folder, 'm.onnx');
    writeFileSync(file, toBinary(ModelProtoSchema, model));
    const graph = await readModel(file);
    const attribute = graph.nodes[0]!.attributes.get('value')!.t!;
    t.equal(graph.constants.get('c')!.bytes.buffer, attribute.rawData.buffer);
    const x = floats([1, 2], [10, 20]);
    const expected = `[1,2] ${Buffer.from(floats([2], [10, 40]).bytes).toString('base64')}`;
    t.match(await outputBytes(await readWhole(file), { x }), { y: expected });
  },
);

t.test('written with its weights beside, a model computes the same from both files', async (t) => {
  const folder = t.testdir();
  const file = path.join(folder, 'out.onnx');
  const written = await writeModel(await readModel(sample.model), file, { external: true });
  t.strictSame(written, [file, `${file}.data`]);
  t.ok(readFileSync(file).length < readFileSync(sample.model).length / 4);
  const image = noise([2, 1, 28, 28], 1);
  const expected = await outputBytes(sample.model, { image });
  t.strictSame(await outputBytes(file, { image }), expected, 'read by ONNX Runtime');
  t.strictSame(await outputBytes(encodeModel(await readModel(file)), { image }), expected, 'read by the codec');
});

t.test('by default a small model is one file, the same as encoded', async (t) => {
  const file = path.join(t.testdir(), 'out.onnx');
  const graph = await readModel(sample.model);
  t.strictSame(await writeModel(graph, file), [file]);
  t.strictSame(parseModel(readFileSync(file)).nodes.length, graph.nodes.length);
  t.ok(Buffer.from(encodeModel(graph)).equals(readFileSync(file)));
});

t.test('a folder that is not there is said, and nothing is left', async (t) => {
  const graph = await readModel(sample.model);
  const file = path.join(t.testdir(), 'none', 'out.onnx');
  await t.rejects(writeModel(graph, file), { code: 'ESP_OUTPUT_UNWRITABLE', message: /ENOENT/ });
});

t.test('more than 2 GB goes beside, and is refused as one file', async (t) => {
  const graph = parseModel(
    toBinary(ModelProtoSchema, message({ input: [value('x', [1])], output: [value('x')], node: [] })),
  );
  const bytes = new Uint8Array(2 ** 30);
  for (const name of ['a', 'b', 'c']) {
    graph.constants.set(name, { type: Type.UINT8, dims: [2 ** 30], bytes });
    graph.add({ opType: 'Identity', inputs: [name], outputs: [`${name}2`] });
  }
  t.throws(() => encodeModel(graph), { code: 'ESP_MODEL_TOO_LARGE' });
});
