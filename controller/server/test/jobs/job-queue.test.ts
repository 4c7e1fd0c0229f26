/** The queue with real worker processes that build the sample: what is lost comes back, and what is canceled ends. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterWorker } from '@espalier/server/jobs/after-worker';
import { estimateLeft } from '@espalier/server/jobs/eta';
import t from 'tap';
import { openWork, restart, SAMPLE, scratchFolder, type Work } from '../support/work.ts';

const idx = (set: string): string => `idx:${SAMPLE}/${set}-images-idx3-ubyte.gz,${SAMPLE}/${set}-labels-idx1-ubyte.gz`;
const dataDir = scratchFolder(t);
const work = await openWork(dataDir);
t.teardown(() => work.database.close());
const dataset = await work.datasets.register('sample', `${idx('train-subset')}?to=64`, `${idx('test-subset')}?to=100`);
const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { fileName: 'fashion-ds.onnx' });
await work.models.update(model.id, { datasetId: dataset.id });

async function queue(recipe: 'float' | 'int8', on: Work = work): Promise<{ jobId: string; variantId: string }> {
  const request = { profiles: ['x64-avx2'], recipes: [recipe], requestedBy: 'test' };
  const [variant] = await on.variants.optimize(model.id, request);
  return { jobId: variant!.jobId!, variantId: variant!.id };
}
async function until(jobId: string, wanted: RegExp, on: Work = work): Promise<string> {
  for (const endMs = Date.now() + 60_000; Date.now() < endMs; await sleep(50)) {
    const { state } = await on.jobs.get(jobId);
    if (wanted.test(state)) return state;
  }
  throw new Error(`job ${jobId} is ${JSON.stringify(await on.jobs.view(jobId))}`);
}
async function workerOf(jobId: string, on: Work = work): Promise<number> {
  for (const endMs = Date.now() + 30_000; Date.now() < endMs; await sleep(5)) {
    const pid = on.runner.workers().get(jobId);
    if (pid) return pid;
  }
  throw new Error('no worker started');
}
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

t.test(
  'queued jobs outlive the controller; a worker killed with -9 costs an attempt; cancel ends in seconds',
  async (t) => {
    const { jobId, variantId } = await queue('float');
    t.equal((await work.jobs.get(jobId)).state, 'QUEUED', 'nothing runs before a runner does');
    const again = await queue('float');
    t.equal(again.jobId, jobId, 'what is queued already is not queued twice');

    const second = await restart(work);
    second.runner.onApplicationBootstrap();
    process.kill(await workerOf(jobId, second), 'SIGKILL');
    t.equal(await until(jobId, /SUCCEEDED|FAILED/, second), 'SUCCEEDED');
    const job = await second.jobs.view(jobId);
    t.equal(job.attempt, 2);
    t.ok(
      job.log.some(({ text }) => /back to the queue.*SIGKILL/.test(text)),
      'the log says what happened',
    );
    const variant = await second.variants.get(variantId);
    t.match(variant, { state: 'ready', method: 'float', report: { float: { top1: Number }, data: { n: 100 } } });
    t.ok(variant.digest && variant.files.some(({ path: name }) => name === 'golden.json'));
    const release = await second.variantRows.latestRelease(variantId);
    t.match(release, { counter: 1, modelName: 'fashion-ds', profile: 'x64-avx2' }, 'and it is signed');

    const canceled = await queue('int8', second);
    const pid = await workerOf(canceled.jobId, second);
    await second.variants.cancelJob(canceled.jobId);
    t.equal(await until(canceled.jobId, /CANCELED|SUCCEEDED/, second), 'CANCELED');
    t.notOk(isAlive(pid), 'its process is gone');
    t.match(await second.variants.get(canceled.variantId), { state: 'failed', error: { code: 'ESP_JOB_CANCELED' } });

    await second.variants.retryJob(canceled.jobId);
    const running = await workerOf(canceled.jobId, second);
    await second.runner.onApplicationShutdown();
    t.notOk(isAlive(running), 'a shutdown ends the worker');
    t.match(await second.jobs.get(canceled.jobId), { state: 'QUEUED', attempt: 0 }, 'and costs no attempt');

    const third = await restart(work);
    third.runner.onApplicationBootstrap();
    t.equal(await until(canceled.jobId, /SUCCEEDED|FAILED/, third), 'SUCCEEDED');
    const int8 = await third.variants.get(canceled.variantId);
    t.equal(
      (await third.variantRows.latestRelease(int8.id))?.counter,
      2,
      'each release of a name has a higher counter',
    );
    await third.runner.onApplicationShutdown();
  },
);

t.test('a job whose controller was killed is taken over when its lease is over, three times at most', async (t) => {
  const { jobId, variantId } = await queue('float');
  const query = `update job set state = 'RUNNING', owner = 'gone', attempt = $2, "leaseUntil" = now() - interval '1 s' where id = $1`;
  await work.database.source.query(query, [jobId, 3]);
  const next = await restart(work);
  next.runner.onApplicationBootstrap();
  t.equal(await until(jobId, /SUCCEEDED|FAILED/, next), 'FAILED');
  t.match(await next.jobs.view(jobId), { error: { code: 'ESP_JOB_WORKER_LOST' } });
  t.equal((await next.variants.get(variantId)).state, 'failed');

  const { jobId: other } = await queue('float');
  await work.database.source.query(query, [other, 1]);
  t.equal(await until(other, /SUCCEEDED|FAILED/, next), 'SUCCEEDED');
  t.ok((await next.jobs.view(other)).log.some(({ text }) => text.includes('the controller that ran it is gone')));
  await next.runner.onApplicationShutdown();
});

t.test('an error of the build itself is final and says what to do', async (t) => {
  const broken = await work.datasets.register('broken', `${idx('train-subset')}?to=8`, null);
  const query = `update dataset set calibrate = $2 where id = $1`;
  await work.database.source.query(query, [
    broken.id,
    `idx:${path.join(dataDir, 'gone')},${path.join(dataDir, 'gone')}`,
  ]);
  const [variant] = await work.variants.optimize(model.id, {
    ...{ profiles: ['x64-avx2'], recipes: ['int8'], requestedBy: 'test', datasetId: broken.id },
  });
  const next = await restart(work);
  next.runner.onApplicationBootstrap();
  t.equal(await until(variant!.jobId!, /SUCCEEDED|FAILED/, next), 'FAILED');
  t.match(await next.jobs.view(variant!.jobId!), {
    attempt: 1,
    error: { code: 'ESP_DATA_UNREADABLE', action: String },
  });
  await next.runner.onApplicationShutdown();
  rmSync(path.join(dataDir, 'jobs'), { recursive: true, force: true });
});

t.test('what becomes of a job whose worker ended', async (t) => {
  const job = { attempt: 1, cancelAsked: false, shuttingDown: false };
  const lost = (reason: string) => ({ code: 'ESP_JOB_WORKER_LOST', message: reason, action: '' });
  const error = { code: 'ESP_X', message: '', action: '' };
  const next = (end: Parameters<typeof afterWorker>[0], change = {}) =>
    afterWorker(end, { ...job, ...change }, lost).kind;
  t.equal(next({ kind: 'lost', reason: 'x' }), 'requeue');
  t.equal(next({ kind: 'lost', reason: 'x' }, { attempt: 3 }), 'fail');
  t.equal(next({ kind: 'failed', error }), 'fail');
  t.equal(next({ kind: 'failed', error }, { cancelAsked: true }), 'cancel');
  t.equal(next({ kind: 'failed', error }, { shuttingDown: true }), 'requeue');
  t.equal(next({ kind: 'canceled' }), 'requeue');
});

t.test('what is left of a job is a range, from how long its like took', async (t) => {
  t.equal(estimateLeft([], 5, 0.5), null);
  t.strictSame(estimateLeft([10, 20], 0, 0), { low: 10, high: 20 });
  t.strictSame(estimateLeft([10, 20], 8, 0), { low: 2, high: 12 });
  t.strictSame(estimateLeft([10], 30, 0.5), { low: 30, high: 30 }, 'one that outlasts its past is judged by itself');
});
