/** One job that builds for several profiles: each part is ready or failed by itself, and what is ready is not built twice. */
import { rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newPart, startedAgain, withPart } from '@espalier/server/jobs/job-part';
import t from 'tap';
import { openWork, restart, SAMPLE, scratchFolder } from '../support/work.ts';

const idx = (set: string): string => `idx:${SAMPLE}/${set}-images-idx3-ubyte.gz,${SAMPLE}/${set}-labels-idx1-ubyte.gz`;
const dataDir = scratchFolder(t);
const work = await openWork(dataDir);
t.teardown(() => work.database.close());
const dataset = await work.datasets.register('sample', `${idx('train-subset')}?to=64`, `${idx('test-subset')}?to=50`);
const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { fileName: 'fashion-ds.onnx' });
await work.models.update(model.id, { datasetId: dataset.id });
const PROFILES = ['edge-tpu', 'npu', 'rpi5'];

async function until<Found>(look: () => Promise<Found | null | false>): Promise<Found> {
  for (const endMs = Date.now() + 240_000; Date.now() < endMs; await sleep(20)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error('it did not come about');
}
const ended = (jobId: string) =>
  until(async () => {
    const job = await work.jobs.view(jobId);
    return /SUCCEEDED|FAILED|CANCELED/.test(job.state) && job;
  });

t.test('one job for three profiles; a worker killed in the middle builds only what was not ready', async (t) => {
  const request = { profiles: PROFILES, recipes: ['int8' as const], requestedBy: 'test' };
  const variants = await work.variants.optimize(model.id, request);
  const jobId = variants[0]!.jobId!;
  t.ok(
    variants.every((variant) => variant.jobId === jobId),
    'all variants are of one job',
  );
  t.match(await work.jobs.view(jobId), {
    ...{ state: 'QUEUED', title: '3 builds of fashion-ds 1 for 3 profiles', profile: null, variantId: null },
    parts: PROFILES.map((profile) => ({ profile, recipe: 'int8', state: 'waiting' })),
  });
  for (const profile of PROFILES) t.ok(await work.jobs.isBusy(model.id, profile), `${profile} is busy`);
  t.notOk(await work.jobs.isBusy(model.id, 'x64-avx2'));
  const again = await work.variants.optimize(model.id, { ...request, profiles: ['npu', 'rpi4'] });
  t.equal(again[0]!.jobId, jobId, 'what a job makes already is not queued twice');
  t.not(again[1]!.jobId, jobId);
  await work.variants.cancelJob(again[1]!.jobId!);

  const runner = (await restart(work)).runner;
  runner.onApplicationBootstrap();
  t.teardown(() => runner.onApplicationShutdown());
  const first = await until(async () => {
    const { parts } = await work.jobs.view(jobId);
    return parts[0]?.state === 'ready' && parts[2]?.state !== 'ready' && parts;
  });
  const early = await work.variants.get(first[0]!.variantId);
  t.match(early, { state: 'ready', digest: String }, 'its variant is ready before the job ends');
  process.kill(runner.workers().get(jobId)!, 'SIGKILL');
  const job = await ended(jobId);
  t.match(job, { state: 'SUCCEEDED', attempt: 2, progress: 1 });
  t.strictSame(
    job.parts.map(({ state, progress }) => [state, progress]),
    [1, 2, 3].map(() => ['ready', 1]),
  );
  t.equal(job.log.filter(({ text }) => /int8 for edge-tpu: ready/.test(text)).length, 1, 'built once');
  t.equal((await work.variants.get(early.id)).digest, early.digest);
  const [edge, npu] = await Promise.all(job.parts.map(({ variantId }) => work.variants.get(variantId)));
  t.equal(edge!.files[0]!.sha256, npu!.files[0]!.sha256, 'profiles with the same rules share one file in the store');
});

t.test('a job that cannot write fails with the place and what to do; tried again it builds the rest', async (t) => {
  // As on a disk that takes no more, nothing can be made below the folder.
  rmSync(path.join(dataDir, 'jobs'), { recursive: true, force: true });
  symlinkSync('/sys', path.join(dataDir, 'jobs'));
  const [variant] = await work.variants.optimize(model.id, {
    ...{ profiles: ['jetson-orin', 'x64-avx2'], recipes: ['float'], requestedBy: 'test' },
  });
  const runner = (await restart(work)).runner;
  runner.onApplicationBootstrap();
  t.teardown(() => runner.onApplicationShutdown());
  const job = await ended(variant!.jobId!);
  t.match(job, { state: 'FAILED', attempt: 1, error: { code: 'ESP_OUTPUT_UNWRITABLE', action: String } });
  for (const part of job.parts) {
    t.match(part, { state: 'failed', error: { code: 'ESP_OUTPUT_UNWRITABLE' } });
    t.match(await work.variants.get(part.variantId), { state: 'failed', error: { code: 'ESP_OUTPUT_UNWRITABLE' } });
  }
  rmSync(path.join(dataDir, 'jobs'));
  await work.variants.retryJob(job.id);
  t.match(await ended(job.id), { state: 'SUCCEEDED', parts: [{ state: 'ready' }, { state: 'ready' }] });
});

t.test('what is ready stays ready', async (t) => {
  const parts = [
    newPart({ variantId: 'a', profile: 'p', recipe: 'int8' }),
    newPart({ variantId: 'b', profile: 'q', recipe: 'int8' }),
  ];
  const ready = withPart(parts, 'a', { state: 'ready', progress: 1 });
  t.equal(withPart(ready, 'a', { state: 'building', progress: 0.2 })[0]!.state, 'ready');
  const failed = withPart(ready, 'b', { state: 'failed', error: { code: 'ESP_X', message: '', action: '' } });
  t.strictSame(
    startedAgain(failed).map(({ state, error }) => [state, error]),
    [
      ['ready', null],
      ['waiting', null],
    ],
  );
});
