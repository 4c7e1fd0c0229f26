/** What a device keeps for labelling: a fair few, only when asked by a signed order, sealed, within limits, and never in the way. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { silent } from '@espalier/agent/common/log';
import { AgentConfig } from '@espalier/agent/config';
import { unsureRows } from '@espalier/agent/measure/sampling/candidate-rows';
import { FairSample, WINDOW_MS } from '@espalier/agent/measure/sampling/fair-sample';
import { SampleBox } from '@espalier/agent/measure/sampling/sample-box';
import { SampleSender } from '@espalier/agent/measure/sampling/sample-sender';
import { type Answerer, Sampler } from '@espalier/agent/measure/sampling/sampler';
import { toRaw } from '@espalier/agent/runtime/values';
import { Serving } from '@espalier/agent/serve/serving';
import { poolSettings } from '@espalier/agent/serve/settings';
import { SAMPLE_BYTES_MAX, type SamplingOrder, type SamplingRequest, signatureOf } from '@espalier/proto';
import { openSample } from '@espalier/proto/seal';
import { status } from '@grpc/grpc-js';
import t from 'tap';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-sampling-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const DAY = 86_400_000;
const MODEL = path.join(import.meta.dirname, '..', '..', '..', 'deploy', 'sample', 'fashion-ds.onnx');

/** Numbers of 0..1 by a seed, so that a failure comes again. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

t.test('of a window each candidate has the same chance', async (t) => {
  const random = chance(7);
  const counts = new Array<number>(40).fill(0);
  for (let run = 0; run < 2000; run++) {
    const fair = new FairSample<number>(20, random, 0);
    for (let at = 0; at < 40; at++) fair.offer(at, () => at);
    for (const one of fair.close(WINDOW_MS)) counts[one]!++;
  }
  t.equal(
    counts.reduce((sum, count) => sum + count),
    8000,
    'four of forty, each time',
  );
  // 200 expected; the standard deviation of one count is about 13.4.
  t.ok(Math.min(...counts) > 150 && Math.max(...counts) < 250, `${Math.min(...counts)} to ${Math.max(...counts)}`);
});

t.test('a flood takes no more than a day has, and the day is spread out', async (t) => {
  const fair = new FairSample<number>(20, chance(3), 0);
  const kept: number[] = [];
  for (let now = 0; now < 3 * DAY; now += 5000) {
    fair.offer(now, () => now);
    kept.push(...fair.close(now));
  }
  for (const day of [0, 1, 2]) {
    const ofDay = kept.filter((at) => Math.floor(at / DAY) === day);
    t.ok(ofDay.length <= 20 && ofDay.length >= 18, `${ofDay.length} on day ${day}`);
    if (day > 0) t.ok(ofDay.filter((at) => at % DAY < DAY / 2).length <= 11, 'not all of them in the morning');
  }
});

t.test('a restart begins no new day, and neither does a clock that is set back', async (t) => {
  const noon = 100 * DAY + DAY / 2;
  const spent = new FairSample<number>(20, chance(1), noon, { day: 100, kept: 20 });
  spent.offer(noon, () => 1);
  t.notOk(spent.isOpen);
  spent.offer(noon - DAY, () => 1);
  t.notOk(spent.isOpen, 'yesterday again');
  spent.offer(noon + DAY, () => 1);
  t.ok(spent.isOpen, 'tomorrow');
  const one = new FairSample<number>(1, chance(1), noon);
  t.ok(one.isReady(noon));
  one.offer(noon, () => 1);
  t.strictSame(one.close(noon + WINDOW_MS), [1]);
  t.notOk(one.isReady(noon + DAY / 2 - 1), 'nobody looks until the day is over');
  t.ok(one.isReady(noon + DAY), 'and then again');
  t.equal(new FairSample<number>(1, chance(1), 0).close(DAY).length, 0, 'nothing came');
});

const scores = (rows: number[][]) =>
  toRaw({ s: { type: 'float32', shape: [rows.length, 3], data: Float32Array.from(rows.flat()) } });
const inputs = (rows: number, width = 2) =>
  toRaw({
    x: { type: 'float32', shape: [rows, width], data: Float32Array.from({ length: rows * width }, (_, at) => at) },
  });
const output = { output: 's', width: 3 };

t.test('a row counts by its own confidence, and its own values are copied', async (t) => {
  const answers = scores([
    [0.9, 0.05, 0.05],
    [0.25, 0.5, 0.25],
    [0, 0, 0],
  ]);
  const feeds = inputs(3);
  const rows = unsureRows(feeds, answers, output, 0.6);
  t.match(rows, [
    { guess: 1, confidence: 0.5, input: { name: 'x', type: 'float32', shape: [2] } },
    { guess: 0, confidence: 1 / 3 },
  ]);
  const copy = rows[0]!.copy();
  feeds.x!.bytes.fill(0);
  t.strictSame([...new Float32Array(copy.buffer)], [2, 3]);
});

t.test('what is too large, of two inputs, of strings, or answered with something else is left alone', async (t) => {
  const unsure = scores([[0, 0, 0]]);
  const none = (feeds: Parameters<typeof unsureRows>[0], answers = unsure) =>
    t.strictSame(unsureRows(feeds, answers, output, 1), []);
  const lazy = (byteLength: number, shape: number[]) => ({
    x: { type: 'float32', shape, byteLength, read: () => t.fail('read for nothing') },
  });
  none(lazy(SAMPLE_BYTES_MAX + 4, [1, SAMPLE_BYTES_MAX / 4 + 1]));
  none(lazy(8, [1, 3]));
  none({ ...inputs(1), y: inputs(1).x! });
  none({ x: { type: 'string', shape: [1, 2], bytes: new Uint8Array(8) } });
  none(inputs(2));
  none(inputs(1), scores([[Number.NaN, 0, 0]]));
  none(inputs(1), { other: unsure.s! });
});

t.test('the box gives up its oldest for room and age, and keeps nothing where the disk is full', async (t) => {
  const box = new SampleBox(path.join(scratch, 'box'), 0);
  const limits = { bytesMax: 100, retentionDays: 2 };
  for (const takenMs of [1, 2, 3]) await box.add(crypto.randomUUID(), takenMs, Buffer.alloc(40), limits);
  t.strictSame(
    box.list().map(({ takenMs }) => takenMs),
    [2, 3],
  );
  await t.rejects(box.add(crypto.randomUUID(), 4, Buffer.alloc(101), limits), { code: 'ESP_SAMPLE_DROPPED' });
  writeFileSync(path.join(box.folder, 'cut.jwe.new'), 'half');
  t.equal(box.sweep(2 + 2 * DAY + 1, limits), 1);
  t.strictSame(
    box.list().map(({ takenMs }) => takenMs),
    [3],
  );
  t.notOk(existsSync(path.join(box.folder, 'cut.jwe.new')));
  const full = new SampleBox(path.join(scratch, 'full'), Number.MAX_SAFE_INTEGER);
  await t.rejects(full.add(crypto.randomUUID(), 1, Buffer.alloc(1), limits), { message: /disk is nearly full/ });
  t.strictSame(full.list(), []);
});

const signer = generateKeyPairSync('ed25519');
const recipient = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
const trusted = { k1: signer.publicKey.export({ type: 'spki', format: 'pem' }).toString() };
const request: SamplingRequest = {
  ...{ deviceId: 'dev-a', model: { name: 'm', version: '1' }, confidenceBelow: 1 },
  ...{ perDay: 20, bytesMax: 1e6, retentionDays: 30 },
  recipient: { kty: 'OKP', crv: 'X25519', x: recipient.x! },
};
const order = (change: Partial<SamplingRequest> = {}, key = signer.privateKey): SamplingOrder => {
  const asked = { ...request, ...change };
  return { request: asked, signature: signatureOf(asked, key, 'k1') };
};

interface Bench {
  readonly box: SampleBox;
  nowMs: number;
  make(isForbidden?: boolean): Sampler;
}
function bench(name: string): Bench {
  const made: Bench = {
    box: new SampleBox(path.join(scratch, name), 0),
    nowMs: 1_800_000_000_000,
    make: (isForbidden = false) =>
      new Sampler({
        ...{ box: made.box, log: silent, now: () => made.nowMs, random: Math.random, isForbidden },
        ...{ deviceId: () => 'dev-a', artifactKeys: () => trusted, onKept: () => undefined },
      }),
  };
  return made;
}

t.test(
  'a real model: nothing is kept by default; when asked, sealed inputs that only the controller reads',
  async (t) => {
    const on = bench('real');
    const sampler = on.make();
    const serving = new Serving(poolSettings(AgentConfig.parse({})));
    t.teardown(() => serving.close());
    await serving.swapToFile(MODEL, 'm');
    serving.onAnswered = (served, ...answered) => sampler.offer({ ...served, digest: 'd'.repeat(64) }, ...answered);
    const data = Float32Array.from({ length: 784 }, (_, at) => Math.sin(at));
    const ask = async () => {
      const feeds = toRaw({ [serving.served!.pool.inputs[0]!.name]: { type: 'float32', shape: [1, 1, 28, 28], data } });
      (await serving.infer(serving.model('m'), feeds)).release();
    };
    await ask();
    on.nowMs += WINDOW_MS;
    await sampler.keep();
    t.notOk(existsSync(on.box.folder), 'not even a folder');
    sampler.want(order());
    for (let times = 0; times < 30; times++) await ask();
    t.equal(on.box.list().length, 0, 'the window is open');
    on.nowMs += WINDOW_MS;
    await sampler.keep();
    t.equal(on.box.list().length, 4, 'of thirty');
    const sealed = readFileSync(path.join(on.box.folder, on.box.list()[0]!.name));
    t.notOk(sealed.includes(Buffer.from(data.buffer, 400, 16)));
    const { header, values } = await openSample(sealed, recipient as never, 'dev-a');
    t.match(header, { digest: 'd'.repeat(64), input: { type: 'float32', shape: [1, 28, 28] } });
    t.strictSame(new Float32Array(new Uint8Array(values).buffer), data);
    await t.rejects(openSample(sealed, recipient as never, 'dev-b'), { message: /another device/ });
    const stranger = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
    await t.rejects(openSample(sealed, stranger as never, 'dev-a'), 'another key opens nothing');
    const changed = Buffer.from(sealed);
    changed[changed.length - 30]! ^= 1;
    await t.rejects(openSample(changed, recipient as never, 'dev-a'), 'a changed byte is found out');
    sampler.want(null);
    t.notOk(existsSync(on.box.folder), 'switched off, nothing is left');
  },
);

const served: Answerer = {
  ...{ name: 'm', version: '1', digest: 'd'.repeat(64) },
  pool: { outputs: [{ name: 's', type: 'float32', shape: ['N', 3] }] },
};
async function fill(on: Bench, sampler: Sampler, by: Answerer = served): Promise<void> {
  sampler.offer(by, inputs(1), scores([[0, 0, 0]]));
  on.nowMs += WINDOW_MS;
  await sampler.keep();
}

t.test('an order counts only when it is signed for this device, and nothing else of this model is kept', async (t) => {
  const on = bench('orders');
  const sampler = on.make();
  const forged = generateKeyPairSync('ed25519').privateKey;
  for (const bad of [
    order({}, forged),
    order({ deviceId: 'dev-b' }),
    { ...order(), request: { ...request, perDay: 900 } },
  ])
    t.throws(() => sampler.want(bad), { code: 'ESP_SIGNATURE_INVALID' });
  await fill(on, sampler);
  t.strictSame(on.box.list(), []);
  sampler.want(order());
  for (const by of [
    { ...served, name: 'n' },
    { ...served, version: '2' },
    { ...served, digest: null },
  ])
    await fill(on, sampler, by);
  t.strictSame(on.box.list(), [], 'another model, another version, a file of somebody');
  await fill(on, sampler);
  t.equal(on.box.list().length, 1);
  sampler.want(order({ perDay: 5 }));
  t.equal(on.box.list().length, 1, 'other limits leave what is held');
  sampler.want(order({ model: { name: 'm', version: '2' } }));
  t.equal(on.box.list().length, 0, 'another model does not');
});

t.test('a restart goes on with the order and the day; a device whose owner says never keeps nothing', async (t) => {
  const on = bench('restart');
  const first = on.make();
  first.want(order({ perDay: 1 }));
  await fill(on, first);
  t.equal(on.box.list().length, 1);
  const second = on.make();
  t.match(second.request, { perDay: 1 });
  await fill(on, second);
  t.equal(on.box.list().length, 1, 'the day had one');
  const never = on.make(true);
  t.equal(never.request, null);
  t.notOk(existsSync(on.box.folder), 'what was held is deleted');
  never.want(order());
  await fill(on, never);
  t.notOk(existsSync(on.box.folder));
  mkdirSync(on.box.folder);
  writeFileSync(
    path.join(on.box.folder, 'order.json'),
    JSON.stringify(order({}, generateKeyPairSync('ed25519').privateKey)),
  );
  t.equal(on.make().request, null, 'a stored order is checked again');
});

t.test(
  'a sample is deleted once it is stored or refused for good, and kept while there is no way or no room',
  async (t) => {
    const on = bench('send');
    const sampler = on.make();
    sampler.want(order());
    for (let times = 0; times < 3; times++) await fill(on, sampler);
    const names = on.box.list().map(({ name }) => name);
    t.equal(names.length, 3);
    const answers: (number | null)[] = [];
    const sent: Uint8Array[] = [];
    const sender = new SampleSender({
      ...{ box: on.box, sampler, log: silent, now: () => on.nowMs, random: Math.random, intervalMs: 1000 },
      async upload(sealed) {
        const code = answers.shift() ?? null;
        if (code !== null) throw Object.assign(new Error('no'), { code });
        sent.push(sealed);
      },
    });
    const { signal } = new AbortController();
    for (const code of [status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.DEADLINE_EXCEEDED]) {
      answers.push(code);
      await t.rejects(sender.send(signal));
      t.equal(on.box.list().length, 3, status[code]);
    }
    answers.push(status.FAILED_PRECONDITION);
    await sender.send(signal);
    t.equal(sent.length, 2, 'one was refused for good, two are stored');
    t.strictSame(on.box.list(), []);
    await fill(on, sampler);
    on.nowMs += 31 * DAY;
    await sender.send(signal);
    t.equal(sent.length, 2, 'what was too old before there was a way is never sent');
    t.strictSame(readdirSync(on.box.folder).sort(), ['day.json', 'order.json']);
  },
);
