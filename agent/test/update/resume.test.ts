/** What a device serves after a start, a broken slot, or the death of its model's thread; real model, real threads. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { silent } from '@espalier/agent/common/log';
import { AgentConfig } from '@espalier/agent/config';
import { Serving } from '@espalier/agent/serve/serving';
import { poolSettings } from '@espalier/agent/serve/settings';
import { Store } from '@espalier/agent/store/store';
import { isOnTrial, resume } from '@espalier/agent/update/resume';
import type { Execution } from '@espalier/agent/update/update.types';
import { SessionOptions } from '@espalier/proto';
import t from 'tap';
import { until } from '../../../test/support/process.ts';

const sample = path.join(import.meta.dirname, '../../../deploy/sample/fashion-ds.onnx');
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-resume-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const [good, broken, other] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];

function putSlot(store: Store, digest: string, model: Uint8Array): void {
  const slot = store.slot(digest);
  mkdirSync(slot, { recursive: true });
  writeFileSync(path.join(slot, 'model.onnx'), model);
  const manifest = {
    ...{
      version: 1,
      digest,
      files: [{ path: 'model.onnx', bytes: model.length, sha256: digest }],
      model: { name: 'fashion', version: '1' },
      profile: 'x64-avx2',
      releaseCounter: 1,
    },
    ...{ format: 'onnx', entry: 'model.onnx', inputs: [], outputs: [], preprocess: null, labels: null },
    runtime: { adapter: 'onnxruntime', minVersion: '1.20.0', sessionOptions: SessionOptions.parse({}) },
    ...{ golden: { path: 'golden.json', tolerance: {} } },
    ...{ createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2027-01-01T00:00:00.000Z' },
  };
  writeFileSync(
    path.join(slot, 'manifest.json'),
    JSON.stringify({ manifest, signature: { keyid: 'k', alg: 'ed25519', value: '' } }),
  );
}

function device(name: string): { store: Store; serving: Serving } {
  const store = new Store(path.join(scratch, name));
  const bytes = readFileSync(sample);
  putSlot(store, good, bytes);
  putSlot(store, other, bytes);
  putSlot(store, broken, bytes.subarray(0, 999));
  return { store, serving: new Serving(poolSettings(AgentConfig.parse({}))) };
}

t.test('what served before serves again', async (t) => {
  const { store, serving } = device('well');
  store.point('current', good);
  store.point('previous', other);
  await resume(store, serving, silent);
  t.equal(serving.served?.digest, good);
  await serving.close();
});

t.test('a slot that does not load any more gives way to the previous one, for good', async (t) => {
  const { store, serving } = device('fallback');
  store.point('current', broken);
  store.point('previous', good);
  await resume(store, serving, silent);
  t.equal(serving.served?.digest, good);
  t.equal(store.read('current'), good, 'the links say what is served');
  t.equal(store.read('previous'), null);
  await serving.close();
});

t.test('a device with nothing is well; one where nothing loads says so', async (t) => {
  const { store, serving } = device('nothing');
  await resume(store, serving, silent);
  t.equal(serving.served, null);
  store.point('current', broken);
  await t.rejects(resume(store, serving, silent), { code: 'ESP_DEGRADED' });
});

t.test('a thread that ends by itself is opened again; only when that fails the model is lost', async (t) => {
  const { store, serving } = device('lost');
  const lost: string[] = [];
  serving.onLost = ({ code }) => lost.push(code);
  await serving.swapToSlot(store.slot(good));
  await serving.swapToSlot(store.slot(other));
  t.strictSame(lost, [], 'one that is replaced is not lost');
  type Threads = { crew: { seats: { worker: { worker: Worker } }[] } };
  const { crew } = serving.served!.pool as unknown as Threads;
  await crew.seats[0]!.worker.worker.terminate();
  t.notOk(serving.healthy);
  await until('the thread is there again', async () => serving.healthy || null, 10_000, 20);
  t.strictSame(lost, []);
  writeFileSync(path.join(store.slot(other), 'model.onnx'), 'broken meanwhile');
  await crew.seats[0]!.worker.worker.terminate();
  await until('the loss is told', async () => (lost.length > 0 ? lost : null), 10_000, 20);
  t.strictSame(lost, ['ESP_MODEL_LOAD_FAILED']);
  await serving.swapToSlot(store.slot(good));
  t.ok(serving.healthy, 'and another model can be opened');
  await serving.close();
});

t.test('while a new model is on trial, starting does not load it', async (t) => {
  const at = (part: Partial<Execution>): Execution =>
    ({ state: 'HEALTH', done: false, before: { current: good, previous: null }, ...part }) as Execution;
  t.ok(isOnTrial(at({})));
  t.ok(isOnTrial(at({ state: 'SWITCH' })));
  t.ok(isOnTrial(at({ state: 'SWITCH', done: true })), 'the window has not begun to count');
  t.notOk(isOnTrial(at({ done: true })), 'it has proven itself');
  t.notOk(isOnTrial(at({ state: 'DOWNLOAD', before: null })));
  t.notOk(isOnTrial(null));
});
