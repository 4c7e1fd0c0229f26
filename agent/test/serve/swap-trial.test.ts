/** A new model is looked at on live requests before it serves, and a swap never takes more memory than there is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AgentConfig } from '@espalier/agent/config';
import { freeMemory } from '@espalier/agent/hardware/free-memory';
import { FactRoot } from '@espalier/agent/hardware/root';
import { fromRaw, toRaw } from '@espalier/agent/runtime/values';
import { Serving } from '@espalier/agent/serve/serving';
import { poolSettings } from '@espalier/agent/serve/settings';
import { compare, verdictOf } from '@espalier/agent/serve/shadow';
import { MemoryPrediction, swapWay } from '@espalier/agent/serve/swap-memory';
import t from 'tap';
import { noise, writeTinyModel } from '../../../test/support/tiny-model.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-trial-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const MB = 1024 * 1024;

/** Eight values to four, by a matrix. */
const model = (name: string, matrix: ReturnType<typeof noise>): string =>
  writeTinyModel(path.join(scratch, `${name}.onnx`), {
    inputs: { x: ['batch', 8] },
    outputs: ['y'],
    constants: { w: matrix },
    nodes: [['MatMul', ['x', 'w'], ['y']]],
  });
const good = model('good', noise([8, 4], 1, 1));
const close = model('close', noise([8, 4], 1, 1.1));
const other = model('other', noise([8, 4], 2, 1));
const broken = model('broken', noise([8, 4], 1, Number.NaN));

let request = 0;
const feeds = () => {
  request++;
  const data = Float32Array.from({ length: 8 }, (_, at) => Math.sin(request * (at + 1)));
  return toRaw({ x: { type: 'float32', shape: [1, 8], data } });
};

/** One request every few milliseconds until stopped; resolves with the answers, of which none may fail. */
function client(serving: Serving): { stop(): Promise<number> } {
  let isOver = false;
  const done = (async () => {
    let answered = 0;
    for (; !isOver; answered++) {
      (await serving.infer(serving.model('m'), feeds())).release();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return answered;
  })();
  return {
    stop: () => {
      isOver = true;
      return done;
    },
  };
}

const settings = poolSettings(AgentConfig.parse({}));

t.test('a build that answers live requests otherwise does not get to serve', async (t) => {
  const serving = new Serving(settings);
  await serving.swapToFile(good, 'm');
  const running = client(serving);
  for (const bad of [other, broken]) {
    await t.rejects(serving.swapToFile(bad, 'm', { isTrial: true }), {
      code: 'ESP_SHADOW_DIFFERS',
      message: /live requests/,
    });
    t.equal(serving.served?.file, good, 'the old model serves on');
  }
  await serving.swapToFile(close, 'm', { isTrial: true });
  t.equal(serving.served?.file, close, 'a build that is nearly the same serves');
  await serving.swapToFile(other, 'm');
  t.equal(serving.served?.file, other, 'what has served before is not on trial: a rollback is never refused');
  t.ok((await running.stop()) > 50);
  t.equal(serving.failures, 0);
  await serving.close();
});

t.test('without requests there is nothing to compare, and the swap goes on', async (t) => {
  const serving = new Serving(settings);
  await serving.swapToFile(good, 'm');
  await serving.swapToFile(other, 'm', { isTrial: true });
  t.equal(serving.served?.file, other);
  await serving.close();
});

t.test('verdicts: a classifier by its largest score, others by distance, numbers that are none by both', async (t) => {
  const raw = (...values: number[]) =>
    toRaw({ y: { type: 'float32', shape: [1, values.length], data: Float32Array.from(values) } });
  t.match(compare(raw(1, 2, 3), raw(1, 2, 3)), { agrees: true, distance: 0 });
  t.match(compare(raw(0, 3), raw(0, 300)), { agrees: true, distance: 99 });
  t.match(compare(raw(1, 2), raw(Number.NaN, 2)), { agrees: false, distance: Number.POSITIVE_INFINITY });
  t.match(compare(raw(1, 2), {}), { agrees: false, distance: Number.POSITIVE_INFINITY });
  const seen = (count: number, agrees: boolean, distance: number) =>
    Array.from({ length: count }, () => ({ agrees, distance }));
  t.equal(verdictOf(seen(3, false, 9), true), null, 'three are too few');
  t.equal(verdictOf([...seen(9, true, 0), ...seen(7, false, 9)], true), null);
  t.match(verdictOf([...seen(7, true, 0), ...seen(9, false, 9)], true), /7 of 16/);
  t.equal(verdictOf(seen(16, true, 9), true), null, 'a classifier may be as sure as it likes');
  t.match(verdictOf(seen(16, true, 0.8), false), /0\.80 away/);
});

t.test('the way of a swap follows from the memory that is left', async (t) => {
  const memory = { freeBytes: 200 * MB, oldBytes: 50 * MB, oneBytes: 40 * MB, allBytes: 80 * MB };
  t.equal(swapWay(memory), 'beside');
  t.equal(swapWay({ ...memory, freeBytes: 80 * MB }), 'narrow');
  t.equal(swapWay({ ...memory, freeBytes: 60 * MB }), 'drain');
  t.equal(swapWay({ ...memory, freeBytes: 60 * MB, oldBytes: 0 }), 'refuse');
  const prediction = new MemoryPrediction();
  const first = prediction.of(10 * MB, 2);
  prediction.saw(10 * MB, 1, 80 * MB);
  t.ok(prediction.of(10 * MB, 2) > first, 'it learns from what a model took');
  prediction.saw(10 * MB, 1, -5 * MB);
  t.ok(prediction.of(10 * MB, 2) > first, 'and nothing from a process that gave memory back');
});

t.test('short of memory the old model goes first, and requests wait for the new one', async (t) => {
  const serving = new Serving(settings, null, { freeBytes: () => 40 * MB });
  await serving.swapToFile(good, 'm');
  const running = client(serving);
  const before = serving.served?.pool;
  await serving.swapToFile(close, 'm', { isTrial: true });
  t.equal(serving.served?.file, close);
  t.notOk(before?.alive);
  writeFileSync(path.join(scratch, 'no-model.onnx'), 'no model');
  await t.rejects(serving.swapToFile(path.join(scratch, 'no-model.onnx'), 'm'), { code: 'ESP_MODEL_LOAD_FAILED' });
  t.equal(serving.served?.file, close, 'the old model is opened again when the new one does not load');
  const { outputs, release } = await serving.infer(serving.model('m'), feeds());
  t.equal(fromRaw(outputs).y?.data.length, 4);
  release();
  t.ok((await running.stop()) > 0);
  t.equal(serving.failures, 0, 'no request has failed meanwhile');
  await serving.close();
});

t.test('a build for which there is no room at all is refused', async (t) => {
  const serving = new Serving(settings, null, { freeBytes: () => 0 });
  await serving.swapToFile(good, 'm');
  await t.rejects(serving.swapToFile(close, 'm', { isTrial: true }), { code: 'ESP_MEMORY_SHORT' });
  t.equal(serving.served?.file, good);
  t.ok(serving.healthy);
  await serving.close();
});

t.test('free memory is the least of what the machine has and its cgroups leave', async (t) => {
  const root = path.join(scratch, 'root');
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  const free = (): number => freeMemory(new FactRoot(root));
  t.equal(free(), Number.POSITIVE_INFINITY, 'a system that tells nothing');
  write('proc/meminfo', `MemTotal: 900000 kB\nMemAvailable: ${500 * 1024} kB\n`);
  t.equal(free(), 500 * MB);
  write('proc/self/cgroup', '0::/agent.slice/agent.service\n');
  write('sys/fs/cgroup/agent.slice/agent.service/memory.max', 'max');
  write('sys/fs/cgroup/agent.slice/memory.max', String(300 * MB));
  write('sys/fs/cgroup/agent.slice/memory.current', String(280 * MB));
  t.equal(free(), 20 * MB, 'the folder above counts too');
  write('sys/fs/cgroup/agent.slice/memory.stat', `anon 1\ninactive_file ${60 * MB}\nactive_file 5\n`);
  t.equal(free(), 80 * MB, 'the page cache goes before anyone is killed');
});
