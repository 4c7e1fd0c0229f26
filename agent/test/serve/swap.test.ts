/** A model is exchanged under load, again and again, and no request notices; memory is given back. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AgentConfig } from '@espalier/agent/config';
import { toRaw } from '@espalier/agent/runtime/values';
import { type MemoryState, wantsRecycle } from '@espalier/agent/serve/memory-keeper';
import { Serving } from '@espalier/agent/serve/serving';
import { poolSettings } from '@espalier/agent/serve/settings';
import t from 'tap';
import { root } from '../../../test/support/process.ts';

const MODEL = path.join(root, 'deploy/sample/fashion-ds.onnx');
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-swap-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const feeds = toRaw({ image: { type: 'float32', shape: [1, 1, 28, 28], data: new Float32Array(784).fill(0.5) } });

/** Clients that send one request after another until stopped; resolves with how many were answered and the slowest, ms. */
function load(serving: Serving, clients: number): { stop(): Promise<{ answered: number; slowestMs: number }> } {
  let isOver = false;
  let answered = 0;
  let slowestMs = 0;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const fromMs = performance.now();
      const { release } = await serving.infer(serving.model('m'), feeds);
      release();
      slowestMs = Math.max(slowestMs, performance.now() - fromMs);
      answered++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const all = Array.from({ length: clients }, client);
  return {
    async stop() {
      isOver = true;
      await Promise.all(all);
      return { answered, slowestMs };
    },
  };
}

t.test('thirty swaps under load: every request is answered, none is stalled, no descriptor is left', async (t) => {
  const serving = new Serving(poolSettings(AgentConfig.parse({})));
  await serving.swapToFile(MODEL, 'm');
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const running = load(serving, 4);
  for (let swap = 0; swap < 10; swap++) await serving.swapToFile(MODEL, 'm');
  const before = descriptors();
  for (let swap = 0; swap < 20; swap++) await serving.swapToFile(MODEL, 'm');
  t.ok(descriptors() <= before + 2, `${before} descriptors, then ${descriptors()}`);
  const { answered, slowestMs } = await running.stop();
  t.comment(`${answered} requests, the slowest ${slowestMs.toFixed(0)} ms`);
  t.ok(answered > 100);
  t.equal(serving.failures, 0);
  t.ok(slowestMs < 1000, 'a swap is no pause');
  await serving.close();
});

t.test('a new model that does not load leaves the old one serving', async (t) => {
  const serving = new Serving(poolSettings(AgentConfig.parse({})));
  await serving.swapToFile(MODEL, 'm');
  const broken = path.join(scratch, 'broken.onnx');
  writeFileSync(broken, 'no model');
  const running = load(serving, 2);
  await t.rejects(serving.swapToFile(broken, 'm'), { code: 'ESP_MODEL_LOAD_FAILED' });
  t.ok((await running.stop()).answered > 0);
  t.ok(serving.healthy && serving.failures === 0);
  await serving.close();
});

t.test('sessions are opened again only when that frees memory and disturbs nobody', async (t) => {
  const MB = 1024 * 1024;
  const state: MemoryState = { rssBytes: 200 * MB, baselineBytes: 100 * MB, pressure: 0, idle: true, ageMs: 120_000 };
  t.ok(wantsRecycle(state));
  t.notOk(wantsRecycle({ ...state, idle: false }), 'not under requests');
  t.notOk(wantsRecycle({ ...state, rssBytes: 130 * MB }));
  t.ok(wantsRecycle({ ...state, rssBytes: 130 * MB, pressure: 30 }), 'earlier when the machine is short of memory');
  t.notOk(wantsRecycle({ ...state, ageMs: 1000 }), 'not again at once');
  t.ok(wantsRecycle({ ...state, pressure: null }), 'also on a kernel that does not tell');
});
