/** A calibration that was killed goes on, and never on figures of something else. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import t from 'tap';
import { quantizeTiny } from '../support/quantized.ts';
import { sample } from '../support/sample.ts';
import { noise, tinyGraph } from '../support/tiny.ts';

const bin = path.join(import.meta.dirname, '..', '..', 'bin', 'espalier.mjs');

const net = (seed = 1): Graph =>
  tinyGraph({
    inputs: { x: ['N', 3, 8, 8] },
    outputs: ['y'],
    constants: { w: noise([16, 3, 3, 3], seed), v: noise([16, 16, 1, 1], 2) },
    nodes: [
      ['Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] }],
      ['Relu', ['a'], ['r']],
      ['Conv', ['r', 'v'], ['b']],
      ['GlobalAveragePool', ['b'], ['y']],
    ],
  });
const samples = (seed: number) => Array.from({ length: 12 }, (_, at) => ({ x: noise([1, 3, 8, 8], seed + at) }));

/** The int8 file and what is said of the calibration. */
async function built(cache?: string, { graph = net(), data = samples(10) } = {}) {
  const { graph: int8, notes } = await quantizeTiny(graph, data, 'x64-avx512-vnni', { cache, method: 'mse' });
  return { bytes: Buffer.from(encodeModel(int8)).toString('base64'), notes };
}

t.test('the second calibration measures nothing, and comes to the same file', async (t) => {
  const cache = path.join(t.testdir(), 'c');
  const plain = await built();
  const first = await built(cache);
  const second = await built(cache);
  t.equal(first.bytes, plain.bytes);
  t.equal(second.bytes, plain.bytes);
  t.same(first.notes, []);
  t.match(second.notes, [/went on from .*: \d of its parts were there/]);
});

t.test('figures of another graph or other data are not used', async (t) => {
  const cache = path.join(t.testdir(), 'c');
  await built(cache);
  for (const changed of [{ graph: net(7) }, { data: samples(90) }]) {
    const found = await built(cache, changed);
    t.equal(found.bytes, (await built(undefined, changed)).bytes);
    t.match(found.notes, [/another graph, data or options, and was started again/]);
  }
});

t.test('a torn end is measured again', async (t) => {
  const cache = path.join(t.testdir(), 'c');
  const { bytes } = await built(cache);
  const whole = readFileSync(cache);
  for (const length of [3, whole.length >> 1, whole.length - 1]) {
    writeFileSync(cache, whole.subarray(0, length));
    const found = await built(cache);
    t.equal(found.bytes, bytes, `cut to ${length} bytes`);
    t.same(readFileSync(cache), whole, 'and the file is whole again');
  }
});

t.test('a flipped bit anywhere is found', async (t) => {
  const cache = path.join(t.testdir(), 'c');
  const { bytes } = await built(cache);
  const whole = readFileSync(cache);
  for (const share of [0.01, 0.5, 0.99]) {
    const damaged = Buffer.from(whole);
    const at = 8 + Math.floor((whole.length - 8) * share);
    damaged[at] = damaged[at]! ^ 0x10;
    writeFileSync(cache, damaged);
    const found = await built(cache);
    t.equal(found.bytes, bytes, `byte ${at}`);
    t.match(found.notes.join(), /damaged|another graph/);
  }
});

t.test('a file that is something else stays as it is', async (t) => {
  const dir = t.testdir({ 'model.onnx': 'precious' });
  await t.rejects(built(path.join(dir, 'model.onnx')), { code: 'ESP_CALIBRATION_CACHE' });
  t.equal(readFileSync(path.join(dir, 'model.onnx'), 'utf8'), 'precious');
  await t.rejects(built(path.join(dir, 'no', 'such')), { code: 'ESP_CALIBRATION_CACHE' });
});

t.test('a killed build goes on from its last group', async (t) => {
  const dir = t.testdir();
  const cache = path.join(dir, 'cache');
  const run = (out: string, kept: readonly string[]) =>
    spawn(
      process.execPath,
      [
        ...[bin, 'quantize', sample.model, '-o', path.join(dir, out), '--profile', 'arm64-neon', '--json'],
        ...['--calibrate', sample.calibrate.replace('256', '64'), '--calibration', 'mse', ...kept],
      ],
      { stdio: 'ignore' },
    );
  const ended = (child: ReturnType<typeof run>) => new Promise((resolve) => child.on('close', resolve));

  // The first record is the key; with the second there is something to go on from.
  const killed = run('killed', ['--cache', cache]);
  const gone = ended(killed);
  while (killed.exitCode === null && !(existsSync(cache) && statSync(cache).size > 300)) await sleep(1);
  killed.kill('SIGKILL');
  await gone;

  t.equal(await ended(run('again', ['--cache', cache])), 0);
  t.equal(await ended(run('plain', [])), 0);
  const notes = JSON.parse(readFileSync(path.join(dir, 'again', 'report.json'), 'utf8')).notes as string[];
  t.ok(
    notes.some((note) => /went on from/.test(note)),
    notes.join('\n'),
  );
  t.same(readFileSync(path.join(dir, 'again', 'model.onnx')), readFileSync(path.join(dir, 'plain', 'model.onnx')));
});
