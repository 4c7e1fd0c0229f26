/** Rollouts on a real database: what devices report and measure moves them, and nothing of it lives in memory. */
import type { GroupPlan } from '@espalier/proto/api';
import t, { type Test } from 'tap';
import {
  addDevice,
  addVariant,
  answer,
  changeDevice,
  measure,
  openWork,
  restart,
  SAMPLE,
  scratchFolder,
  type Work,
} from '../support/work.ts';

const GROUPS: GroupPlan[] = [
  { name: 'canary', percent: 25, successThreshold: 100, errorThreshold: 20, soakSeconds: 0 },
  { name: 'rest', percent: 100, successThreshold: 100, errorThreshold: 50, soakSeconds: 0 },
];
const GATE = { p95Us: 200, maxRegression: null, minDevices: 1 };

const work = await openWork(scratchFolder(t));
t.teardown(() => work.database.close());

/** A model with float and int8, and four devices that serve its float. */
async function fleet(
  t: Test,
  name: string,
): Promise<{ modelId: string; ids: string[]; float: string; int8: string; int8Id: string }> {
  const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { name });
  const float = await addVariant(work, model.id, 'float');
  const int8 = await addVariant(work, model.id, 'int8');
  const ids = ['a', 'b', 'c', 'd'].map((letter) => `${name}-${letter}`);
  for (const id of ids) await addDevice(work, id, { servingDigest: float.digest });
  t.teardown(async () => {
    for (const { id } of await work.devices.find('')) await work.devices.remove(id);
  });
  return { modelId: model.id, ids, float: float.digest!, int8: int8.digest!, int8Id: int8.id };
}

const create = (modelId: string, change: object = {}, on: Work = work): Promise<string> =>
  on.rollouts.create({
    modelId,
    variantIds: [],
    filter: '',
    groups: GROUPS,
    gate: GATE,
    start: true,
    createdBy: 'test',
    ...change,
  });
const states = async (id: string): Promise<string> =>
  (await work.rolloutRows.executions([id]))
    .filter(({ direction }) => direction === 'out')
    .map(({ state }) => state)
    .sort()
    .join(' ');
const rollout = (id: string) => work.rolloutRows.find(id).then((row) => row!);
const targets = (ids: readonly string[], digest: string, on: Work = work): string[] =>
  ids.filter((id) => on.published.get(id)?.target?.digest === digest);

t.test('a good canary lets the rest follow, and the rollout ends FINISHED', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'good');
  const id = await create(modelId);
  await work.ticker.tick(id);
  const [canary] = targets(ids, int8);
  t.strictSame(targets(ids, int8).length, 1, 'only the canary is offered the best variant');
  await answer(work, canary!, 'IN_PROGRESS', { step: 'DOWNLOAD', progress: 0.5 });
  await answer(work, canary!, 'SUCCEEDED', { sequence: 2 });
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 1, 'success alone does not start the rest: nothing is measured yet');
  await measure(work, canary!, int8, 150);
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 4, 'a measurement within the gate does');
  for (const device of ids.filter((one) => one !== canary)) {
    await answer(work, device, 'SUCCEEDED');
    await measure(work, device, int8, 150);
  }
  await work.ticker.tick(id);
  t.match(await rollout(id), { state: 'FINISHED', reason: '4 of 4 devices succeeded' });
});

t.test('a gate that stays over its threshold pauses, and a rollback brings the canary back', async (t) => {
  const { modelId, ids, float, int8 } = await fleet(t, 'blocked');
  const id = await create(modelId);
  await work.ticker.tick(id);
  const [canary] = targets(ids, int8);
  const counter = work.published.get(canary!)!.target!.manifest.sha256;
  await answer(work, canary!, 'SUCCEEDED');
  await measure(work, canary!, int8, 250);
  await work.ticker.tick(id);
  t.equal((await rollout(id)).state, 'RUNNING', 'one window does not decide');
  work.clock.offsetMs += 60_000;
  await work.ticker.tick(id);
  t.match(await rollout(id), { state: 'PAUSED', reason: /GATE_BLOCKED: p95 of x64-avx2: .*250, over 200/ });
  t.equal(targets(ids, int8).length, 1, 'nobody else was offered it');

  await work.rollouts.rollback(id, 'test');
  t.equal(work.published.get(canary!)?.target?.digest, float, 'the target is what it served before');
  t.not(work.published.get(canary!)!.target!.manifest.sha256, counter, 'under a fresh manifest');
  t.equal(await states(id), 'CANCELED CANCELED CANCELED SUCCEEDED');
  await answer(work, canary!, 'SUCCEEDED');
  await work.ticker.tick(id);
  t.match(await rollout(id), { state: 'ROLLED_BACK', reason: /1 devices are back/ });
});

t.test('too many failures abort: what is queued is canceled, what is in progress may finish', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'abort');
  const groups = [{ ...GROUPS[1]!, errorThreshold: 100 }];
  const id = await create(modelId, { groups });
  await changeDevice(work, ids[3]!, { online: false });
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 3, 'the offline device waits');
  const error = { code: 'ESP_SELF_TEST_FAILED', message: 'wrong', action: 'look' };
  await answer(work, ids[0]!, 'FAILED', { error });
  await answer(work, ids[1]!, 'FAILED', { error });
  await work.ticker.tick(id);
  t.equal((await rollout(id)).state, 'RUNNING', 'two are too few to judge');
  await answer(work, ids[2]!, 'SUCCEEDED');
  await work.ticker.tick(id);
  t.match(await rollout(id), { state: 'STOPPED', reason: /ABORTED: 67% of 3/ });
  t.equal(await states(id), 'CANCELED FAILED FAILED SUCCEEDED');
  await work.ticker.tickAll(new AbortController().signal);
  t.equal(work.published.get(ids[0]!)?.target, null, 'what failed is not wanted of the device any more');
});

t.test('a pause stops dispatch only, and resume goes on', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'pause');
  const id = await create(modelId);
  await work.ticker.tick(id);
  const [canary] = targets(ids, int8);
  await work.rollouts.pause(id, 'ann', 'lunch');
  t.match(await rollout(id), { state: 'PAUSED', reason: 'paused by ann: lunch' });
  await answer(work, canary!, 'SUCCEEDED');
  await measure(work, canary!, int8, 100);
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 1);
  await work.rollouts.resume(id, 'ann');
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 4);
  await t.rejects(work.rollouts.resume(id, 'ann'), { code: 'ESP_ROLLOUT_STATE' });
});

t.test('a failed device pauses a small group, and resume tries it again under a new id', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'retry');
  const id = await create(modelId);
  await work.ticker.tick(id);
  const [canary] = targets(ids, int8);
  const first = work.published.get(canary!)!.target!.executionId;
  await answer(work, canary!, 'FAILED');
  await work.ticker.tick(id);
  t.match(await rollout(id), { state: 'PAUSED', reason: /ERROR_THRESHOLD: 1 of 1/ });
  await work.rollouts.resume(id, 'ann');
  await work.ticker.tick(id);
  t.not(work.published.get(canary!)!.target!.executionId, first);
  t.equal((await work.rolloutRows.executions([id])).length, 4, 'the try before it is replaced');
});

t.test('a restarted controller goes on where the rollout was', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'restart');
  const id = await create(modelId);
  await work.ticker.tick(id);
  const [canary] = targets(ids, int8);
  await answer(work, canary!, 'SUCCEEDED');
  await measure(work, canary!, int8, 100);
  const second = await restart(work);
  await second.ticker.tick(id);
  t.equal(targets(ids, int8, second).length, 3, 'it offers to the rest');
});

t.test('of two controllers only one ticks a rollout at a time', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'lease');
  const id = await create(modelId);
  t.equal(await work.rolloutRows.lease(id, work.clock.now(), 10_000), true);
  t.equal(await work.rolloutRows.lease(id, work.clock.now(), 10_000), false);
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 0, 'the lease of another holds it off');
});

t.test('nothing to do, already current and removed are three different ends', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'ends');
  t.match(await rollout(await create(modelId, { filter: 'profile:arm64-neon' })), {
    state: 'FINISHED',
    reason: /^NOTHING_TO_DO/,
  });
  const gone = await create(modelId);
  await work.ticker.tick(gone);
  for (const id of ids) await work.devices.remove(id);
  await work.ticker.tick(gone);
  t.match(await rollout(gone), { state: 'STOPPED', reason: /^REMOVED/ });
  t.equal(await states(gone), 'REMOVED REMOVED REMOVED REMOVED');
  await addDevice(work, 'ends-e', { servingDigest: int8 });
  t.match(await rollout(await create(modelId)), { state: 'FINISHED', reason: /^ALREADY_CURRENT: all 1/ });
});

t.test('a device without a variant for its profile is REJECTED before any download', async (t) => {
  const { modelId } = await fleet(t, 'reject');
  await addDevice(work, 'reject-arm', { profile: 'arm64-neon' });
  const id = await create(modelId, { filter: 'id:reject-arm' });
  const [execution] = await work.rolloutRows.executions([id]);
  t.match(execution, { state: 'REJECTED', error: { code: 'ESP_NO_VARIANT_FOR_PROFILE' } });
  await work.ticker.tick(id);
  t.match(await rollout(id), { state: 'PAUSED', reason: /THRESHOLD_UNMET/ });
  t.equal(work.published.get('reject-arm'), undefined);
});

t.test('reports count once, in order, and only from the device they are about', async (t) => {
  const { modelId, ids, int8 } = await fleet(t, 'reports');
  const id = await create(modelId, { groups: [GROUPS[1]!] });
  await work.ticker.tick(id);
  t.equal(targets(ids, int8).length, 4);
  await answer(work, ids[0]!, 'IN_PROGRESS', { step: 'VERIFY', sequence: 5 });
  await answer(work, ids[0]!, 'IN_PROGRESS', { step: 'DOWNLOAD', sequence: 3 });
  const { executionId, digest } = work.published.get(ids[1]!)!.target!;
  const foreign = {
    executionId,
    digest,
    sequence: 9,
    state: 'FAILED' as const,
    step: null,
    progress: null,
    error: null,
  };
  await work.reports.record(ids[0]!, { ...foreign, at: new Date().toISOString() });
  const executions = await work.rolloutRows.executions([id]);
  t.equal(executions.find(({ deviceId }) => deviceId === ids[0])?.step, 'VERIFY');
  t.equal(executions.find(({ deviceId }) => deviceId === ids[1])?.state, 'IN_PROGRESS');
});

t.test(
  'the closed loop builds, rolls out and promotes by itself; a miss of the new build is rolled back',
  async (t) => {
    const { modelId, ids, float, int8, int8Id } = await fleet(t, 'loop');
    const { signal } = new AbortController();
    const story = async (): Promise<string[]> =>
      (await work.decisions.page(modelId, 20, 0))[0].toReversed().map(({ action }) => action);
    const images = `idx:${SAMPLE}/train-subset-images-idx3-ubyte.gz,${SAMPLE}/train-subset-labels-idx1-ubyte.gz`;
    const data = await work.datasets.register('sample', `${images}?to=256`, null);
    await work.models.update(modelId, {
      ...{ budget: { maxAccuracyDrop: 1, p95Us: 200, maxSizeBytes: null }, datasetId: data.id },
    });
    for (let round = 0; round < 2; round++) {
      work.clock.offsetMs += 1000;
      for (const id of ids) await measure(work, id, float, 180);
    }
    await work.loop.tick(signal);
    t.strictSame(await story(), [], 'a budget that is met starts nothing');
    work.clock.offsetMs += 1000;
    await work.models.update(modelId, { budget: { maxAccuracyDrop: 1, p95Us: 150, maxSizeBytes: null } });
    const second = await restart(work);
    t.equal(await work.decisions.lease(work.clock.now(), 10_000), true);
    await second.loop.tick(signal);
    t.strictSame(await story(), [], 'while another controller decides, nothing is decided twice');
    await work.decisions.release();
    await Promise.all([work.loop.tick(signal), second.loop.tick(signal)]);
    t.strictSame(await story(), ['rollout'], 'the int8 that is ready goes to a canary');
    const [live] = await work.rolloutRows.open(modelId);
    await work.ticker.tick(live!.id);
    t.equal(targets(ids, int8).length, 1);
    await work.loop.tick(signal);
    t.strictSame(await story(), ['rollout'], 'one thing at a time');
    const [canary] = targets(ids, int8);
    await answer(work, canary!, 'SUCCEEDED');
    await measure(work, canary!, int8, 190);
    await work.ticker.tick(live!.id);
    work.clock.offsetMs += 120_000;
    await work.ticker.tick(live!.id);
    await work.loop.tick(signal);
    t.strictSame(await story(), ['rollout', 'rolled-back']);
    t.equal(work.published.get(canary!)?.target?.digest, float);
    const [latest] = (await work.decisions.page(modelId, 1, 0))[0];
    t.match(latest, { variantId: int8Id, reason: /GATE_BLOCKED/, numbers: { newP95Us: 190, budgetP95Us: 150 } });
    await answer(work, canary!, 'SUCCEEDED');
    await work.ticker.tick(live!.id);
    work.clock.offsetMs += 700_000;
    await work.loop.tick(signal);
    await work.loop.tick(signal);
    t.strictSame(await story(), ['rollout', 'rolled-back', 'measure'], 'and asks for a latency table, once');
    t.match((await work.decisions.page(modelId, 1, 0))[0][0], { recipe: 'pruned-int8', jobId: /^job-/ });
  },
);
