/** The pool with real threads: batches give each row what it gets alone, and a worker's end is nobody's silence. */
import path from 'node:path';
import { ModelPool, type PoolSettings } from '@espalier/agent/runtime/model-pool';
import type { ServingPlan } from '@espalier/agent/runtime/serving-plan';
import { fromRaw, toRaw } from '@espalier/agent/runtime/values';
import { SessionOptions } from '@espalier/proto';
import t from 'tap';
import { root } from '../../../test/support/process.ts';

const MODEL = path.join(root, 'deploy/sample/fashion-ds.onnx');
const settings: PoolSettings = {
  ...{
    queueLimit: 64,
    queueBytes: 64e6,
    latencyLimitMs: null,
    hangLimitMs: 30_000,
    cpus: 2,
    now: () => performance.now(),
  },
};
const options = SessionOptions.parse({});
const plan: ServingPlan = {
  workers: 2,
  threads: 1,
  spin: false,
  curve: [
    [1, 1],
    [2, 1.2],
    [4, 1.5],
    [8, 2],
  ],
}; // prettier-ignore
const image = (seed: number, rows = 1) => ({
  image: {
    type: 'float32',
    shape: [rows, 1, 28, 28],
    data: Float32Array.from({ length: 784 * rows }, (_, at) => ((at * seed) % 17) / 17),
  },
});
const faulty = (change: Partial<PoolSettings> = {}): Promise<ModelPool> => {
  const script = new URL('./support/faulty-worker.ts', import.meta.url);
  return ModelPool.open('none', options, { ...settings, script, ...change });
};
const value = (order: number) => ({ x: { type: 'float32', shape: [1, 1], data: Float32Array.of(order) } });
const answerOf = async (pool: ModelPool, order: number): Promise<unknown> => (await pool.run(value(order))).x?.data[0];

t.test('requests that run together get what each gets alone, also with several rows', async (t) => {
  const alone = await ModelPool.open(MODEL, options, settings);
  const together = await ModelPool.open(MODEL, options, settings, plan);
  t.teardown(() => Promise.all([alone.close(), together.close()]));
  const feeds = Array.from({ length: 40 }, (_, at) => image(at + 3, at % 5 === 0 ? 3 : 1));
  const wanted: ArrayLike<unknown>[] = [];
  for (const one of feeds)
    wanted.push((await alone.run(one)).scores?.data ?? Object.values(await alone.run(one))[0]!.data);
  const results = await Promise.all(feeds.map((one) => together.infer(toRaw(one))));
  for (const [at, { outputs, release }] of results.entries()) {
    const [found] = Object.values(fromRaw(outputs));
    t.equal(found?.shape[0], feeds[at]!.image.shape[0]);
    t.ok(found!.data.every((score, index) => Math.abs(Number(score) - Number(wanted[at]![index])) < 1e-4));
    release();
  }
  t.ok(Math.max(...together.statistics.batches.keys()) > 1, 'some of them ran as a batch');
  t.ok(together.statistics.executions < feeds.length);
});

t.test('what a request asks of time is kept: it is refused at once, or before it is run', async (t) => {
  const pool = await ModelPool.open(MODEL, options, settings, { ...plan, workers: 1, curve: [[1, 50]] });
  t.teardown(() => pool.close());
  const deadlineMs = performance.now() + 60;
  const answers = await Promise.allSettled(
    Array.from({ length: 6 }, (_, at) => pool.infer(toRaw(image(at + 1)), { deadlineMs })),
  );
  const codes = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.code] : []));
  t.ok(
    codes.length > 0 && codes.every((code) => ['ESP_OVERLOADED', 'ESP_DEADLINE_EXCEEDED'].includes(code)),
    codes.join(),
  );
  t.ok(
    answers.some(({ status }) => status === 'fulfilled'),
    'what can be answered in time is answered',
  );
  const refused = answers.find((answer) => answer.status === 'rejected' && answer.reason.code === 'ESP_OVERLOADED');
  t.ok(refused?.status === 'rejected' && refused.reason.details.retryAfterMs > 0, 'a refusal says when to come again');
});

t.test('a curve that has become far too slow does not refuse for ever: an idle device tries', async (t) => {
  const pool = await ModelPool.open(MODEL, options, settings, { ...plan, workers: 1, curve: [[1, 500]] });
  t.teardown(() => pool.close());
  let answered = 0;
  for (let at = 0; at < 200; at++)
    await pool.infer(toRaw(image(at + 1)), { deadlineMs: performance.now() + 100 }).then(
      () => answered++,
      () => undefined,
    );
  t.equal(answered, 200);
  t.ok(pool.curve!.latencyMs(1) < 50, `learnt ${pool.curve!.latencyMs(1)} ms`);
});

t.test('a worker that exits or throws answers what it had, and another takes its place', async (t) => {
  const pool = await faulty();
  t.teardown(() => pool.close());
  t.equal(await answerOf(pool, 21), 42);
  await t.rejects(pool.run(value(1)), { code: 'ESP_WORKER_GONE' });
  t.equal(await answerOf(pool, 22), 44, 'a request that comes meanwhile waits for the new worker');
  await t.rejects(pool.run(value(2)), { code: 'ESP_WORKER_GONE', message: /broken on order/ });
  t.equal(await answerOf(pool, 23), 46);
});

t.test('a worker that hangs is given up, its request is answered, and service goes on', async (t) => {
  const pool = await faulty({ hangLimitMs: 200 });
  t.teardown(() => pool.close());
  const hung = pool.run(value(3));
  const next = answerOf(pool, 24);
  await t.rejects(hung, { code: 'ESP_WORKER_HUNG' });
  t.equal(await next, 48);
});

t.test('a model whose workers keep ending is given up, once, with the cause', async (t) => {
  const pool = await faulty();
  const gone: string[] = [];
  pool.onGone = (cause) => gone.push(cause.code);
  for (let at = 0; at < 6; at++) await t.rejects(pool.run(value(1)), { code: 'ESP_WORKER_GONE' });
  t.notOk(pool.alive);
  t.strictSame(gone, ['ESP_WORKER_GONE']);
  await t.rejects(pool.run(value(5)), { code: 'ESP_WORKER_GONE' });
  await pool.close();
});

t.test('closing answers everything that was taken', async (t) => {
  const pool = await ModelPool.open(MODEL, options, settings, plan);
  const answers = Promise.all(Array.from({ length: 30 }, (_, at) => pool.run(image(at + 1))));
  await pool.close();
  t.equal((await answers).length, 30);
  await t.rejects(pool.run(image(1)), { code: 'ESP_WORKER_GONE' });
});

t.test('another plan is taken up under load without a failed request', async (t) => {
  const pool = await ModelPool.open(MODEL, options, settings);
  t.teardown(() => pool.close());
  let stop = false;
  let answered = 0;
  const client = async (seed: number): Promise<void> => {
    for (; !stop; answered++) await pool.run(image(seed));
  };
  const clients = [client(1), client(2), client(3)];
  await pool.adopt(plan);
  await pool.adopt({ ...plan, workers: 1, threads: 2 });
  await pool.recycle();
  stop = true;
  await Promise.all(clients);
  t.ok(answered > 3);
  t.equal(pool.plan?.threads, 2);
});

t.test('a pool that is closed while its workers are exchanged leaves no thread behind', async (t) => {
  const pool = await ModelPool.open(MODEL, options, settings);
  const exchange = pool.adopt(plan);
  await pool.close();
  await exchange;
  t.notOk(pool.alive);
  t.equal(pool.plan, null);
});
