/** What goes wrong around the loop while one of its rollouts is under way: people, devices, labels and builds. */
import { VariantEntity } from '@espalier/server/variants/variant.entity';
import t, { type Test } from 'tap';
import {
  addDevice,
  addVariant,
  answer,
  changeDevice,
  measure,
  openWork,
  report,
  SAMPLE,
  scratchFolder,
} from '../support/work.ts';

const work = await openWork(scratchFolder(t));
t.teardown(() => work.database.close());
const { signal } = new AbortController();

/** A model whose float build serves on two devices and misses its budget; int8 is ready. */
async function missing(t: Test, name: string) {
  const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { name });
  await work.models.update(model.id, { budget: { maxAccuracyDrop: 1, p95Us: 150, maxSizeBytes: null } });
  const float = await addVariant(work, model.id, 'float');
  const int8 = await addVariant(work, model.id, 'int8');
  const ids = ['a', 'b'].map((letter) => `${name}-${letter}`);
  for (const id of ids) await addDevice(work, id, { servingDigest: float.digest });
  for (let round = 0; round < 2; round++) {
    work.clock.offsetMs += 1000;
    for (const id of ids) await measure(work, id, float.digest!, 180);
  }
  t.teardown(async () => {
    for (const id of ids) await work.devices.remove(id);
  });
  return { modelId: model.id, ids, float, int8 };
}
const story = async (modelId: string): Promise<string[]> =>
  (await work.decisions.page(modelId, 20, 0))[0].toReversed().map(({ action }) => action);
const newest = async (modelId: string) => (await work.decisions.page(modelId, 1, 0))[0][0]!;
const canaryOf = (ids: readonly string[], digest: string): string =>
  ids.find((id) => work.published.get(id)?.target?.digest === digest)!;

/** The loop's rollout, with its canary offered. */
async function begun(t: Test, name: string) {
  const made = await missing(t, name);
  await work.loop.tick(signal);
  const { rolloutId } = await newest(made.modelId);
  await work.ticker.tick(rolloutId!);
  const canary = canaryOf(made.ids, made.int8.digest!);
  t.ok(canary, 'a canary was offered int8');
  return { ...made, rolloutId: rolloutId!, canary };
}

t.test('a person who rolls something else out in the middle has the last word, and nothing is promoted', async (t) => {
  const { modelId, ids, int8, rolloutId, canary } = await begun(t, 'taken');
  const other = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { name: 'by-hand' });
  await work.models.update(other.id, { autoOptimize: false });
  const own = await addVariant(work, other.id, 'float');
  const digest = 'e'.repeat(64);
  await work.database.source.getRepository(VariantEntity).update({ id: own.id }, { digest });
  const byHand = await work.rollouts.create({
    ...{ modelId: other.id, variantIds: [own.id], filter: '', deviceIds: ids, start: true, createdBy: 'ann' },
    groups: [{ name: 'all', percent: 100, successThreshold: 100, errorThreshold: 50, soakSeconds: 0 }],
    gate: { p95Us: null, maxRegression: null, minDevices: 1 },
  });
  await work.ticker.tick(byHand);
  t.strictSame(
    ids.map((id) => work.published.get(id)?.target?.digest),
    [digest, digest],
    'both devices are to serve what the person chose',
  );
  for (let round = 0; round < 4; round++) {
    await work.ticker.tick(rolloutId);
    await work.ticker.tick(byHand);
    await work.loop.tick(signal);
    for (const id of ids) {
      const wanted = work.published.get(id)?.target?.digest;
      const [device] = await work.devices.find(`id:${id}`);
      if (wanted && wanted !== device?.servingDigest) await answer(work, id, 'SUCCEEDED');
    }
    work.clock.offsetMs += 30_000;
  }
  t.notOk(
    ids.some((id) => work.published.get(id)?.target?.digest === int8.digest),
    `${canary} is left to the person`,
  );
  t.notMatch(await story(modelId), ['rollout', 'promoted']);
  t.equal((await work.rolloutRows.find(byHand))?.state, 'FINISHED');
});

t.test('a canary that goes offline holds the rest back; when it is back, the rollout goes on', async (t) => {
  const { modelId, ids, int8, rolloutId, canary } = await begun(t, 'away');
  await changeDevice(work, canary, { online: false });
  const rest = ids.find((id) => id !== canary)!;
  for (let round = 0; round < 5; round++) {
    work.clock.offsetMs += 60_000;
    await work.ticker.tick(rolloutId);
    await work.loop.tick(signal);
  }
  t.not(work.published.get(rest)?.target?.digest, int8.digest, 'nobody else gets what no canary has proven');
  t.strictSame(await story(modelId), ['rollout'], 'and nothing is decided meanwhile');
  t.match((await work.loop.outlook(modelId))[0], { kind: 'wait', reason: /rollout/ });
  await changeDevice(work, canary, { online: true });
  await answer(work, canary, 'SUCCEEDED');
  await measure(work, canary, int8.digest!, 120);
  for (let round = 0; round < 2; round++) {
    work.clock.offsetMs += 20_000;
    await work.ticker.tick(rolloutId);
  }
  t.equal(work.published.get(rest)?.target?.digest, int8.digest);
  await answer(work, rest, 'SUCCEEDED');
  await measure(work, rest, int8.digest!, 120);
  await work.ticker.tick(rolloutId);
  await work.loop.tick(signal);
  t.strictSame(await story(modelId), ['rollout', 'promoted']);
});

t.test('a canary that stays away times out, and the loop takes its rollout back', async (t) => {
  const { modelId, ids, int8, rolloutId, canary } = await begun(t, 'lost');
  await changeDevice(work, canary, { online: false });
  for (let round = 0; round < 40 && !(await story(modelId)).includes('rolled-back'); round++) {
    work.clock.offsetMs += 600_000;
    await work.ticker.tick(rolloutId);
    await work.loop.tick(signal);
  }
  t.strictSame((await story(modelId)).slice(0, 2), ['rollout', 'rolled-back']);
  t.match(await newest(modelId), { reason: /1 .*(timed out|TIMED_OUT|failed)|THRESHOLD|ERROR/i });
  t.notOk(ids.some((id) => id !== canary && work.published.get(id)?.target?.digest === int8.digest));
});

t.test('labels that contradict the model prove nothing: no rollout by itself, and the decision says so', async (t) => {
  const { modelId, int8 } = await missing(t, 'shuffled');
  const proof = report('x64-avx2', 'int8');
  // Of ten classes float gets one in ten right, and so does whatever is compared with it.
  const shuffled = { ...proof, float: { ...proof.float, top1: 9.8 }, variant: { ...proof.variant, top1: 10.1 } };
  const quality = { version: 1, n: 100, width: 10, classes: [], others: 100, confidence: [], entropy: [] };
  const repository = work.database.source.getRepository(VariantEntity);
  await repository.update({ id: int8.id }, { report: { ...shuffled, agreement: 99.5, quality } } as object);
  await work.loop.tick(signal);
  t.match(await newest(modelId), { action: 'rejected', reason: /labels contradict the model/ });
  t.equal((await work.rolloutRows.open(modelId)).length, 0);
});

t.test('a build that failed for want of disk is rejected once, with what the job said', async (t) => {
  const { modelId, int8 } = await missing(t, 'full');
  const error = {
    code: 'ESP_OUTPUT_UNWRITABLE',
    message: 'The output could not be written: ENOSPC.',
    action: 'Free some.',
  };
  const repository = work.database.source.getRepository(VariantEntity);
  await repository.update({ id: int8.id }, { state: 'failed', report: null, digest: null, error } as object);
  await work.loop.tick(signal);
  t.match(await newest(modelId), { action: 'rejected', reason: /int8 build failed: .*ENOSPC/ });
  await work.loop.tick(signal);
  t.equal((await story(modelId)).filter((action) => action === 'rejected').length, 1);
});
