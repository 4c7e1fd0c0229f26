/** The loop on a real database: switches, a person's approval, and controllers that are gone in the middle of a step. */
import t from 'tap';
import {
  addDevice,
  addVariant,
  measure,
  openWork,
  restart,
  SAMPLE,
  scratchFolder,
  type Work,
} from '../support/work.ts';

const work = await openWork(scratchFolder(t));
t.teardown(() => work.database.close());
const { signal } = new AbortController();
const PROFILE = 'x64-avx2';

/** A model whose float build serves on two devices and misses its budget; int8 is ready. */
async function missing(name: string, change: object = {}): Promise<{ modelId: string; float: string }> {
  const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { name });
  const budget = { maxAccuracyDrop: 1, p95Us: 150, maxSizeBytes: null };
  await work.models.update(model.id, { budget, ...change });
  const float = (await addVariant(work, model.id, 'float')).digest!;
  await addVariant(work, model.id, 'int8');
  const ids = ['a', 'b'].map((letter) => `${name}-${letter}`);
  for (const id of ids) await addDevice(work, id, { servingDigest: float });
  for (let round = 0; round < 2; round++) {
    work.clock.offsetMs += 1000;
    for (const id of ids) await measure(work, id, float, 180);
  }
  t.teardown(async () => {
    for (const id of ids) await work.devices.remove(id);
  });
  return { modelId: model.id, float };
}
const story = async (modelId: string, on: Work = work): Promise<string[]> =>
  (await on.decisions.page(modelId, 20, 0))[0].toReversed().map(({ action }) => action);

t.test('a profile that is switched off is left alone, and goes on when it is switched on', async (t) => {
  const { modelId } = await missing('switched');
  await work.switches.set(modelId, PROFILE, false, 'ann');
  await work.loop.tick(signal);
  t.strictSame(await story(modelId), []);
  t.match(await work.loop.outlook(modelId), [{ kind: 'wait', reason: /switched off for this profile/ }]);
  await work.switches.set(modelId, PROFILE, true, 'ann');
  t.match(await work.loop.outlook(modelId), [{ kind: 'rollout', reason: /int8 is ready/ }]);
  t.strictSame(await story(modelId), [], 'to look ahead does nothing');
});

t.test('where a person must approve, it asks once and waits', async (t) => {
  const { modelId } = await missing('approved', { requireApproval: true });
  await work.loop.tick(signal);
  await work.loop.tick(signal);
  t.strictSame(await story(modelId), ['ask']);
  t.match((await work.loop.outlook(modelId))[0]?.reason, /for a person to approve int8/);
});

t.test('contended windows start nothing, unless the owner trusts them', async (t) => {
  const { modelId, float } = await missing('contended');
  await work.database.source.query(`UPDATE measurement SET class = 'contended' WHERE digest = $1`, [float]);
  t.match(
    (await work.loop.outlook(modelId))[0]?.reason,
    /2 clean windows of a device, 0 so far; the rest were contended/,
  );
  await work.models.update(modelId, { trustContended: true });
  t.match((await work.loop.outlook(modelId))[0], { kind: 'rollout' });
});

t.test('a controller that is killed between its note and the rollout is replaced by one that makes it', async (t) => {
  const { modelId } = await missing('killed');
  const dying = await restart(work);
  dying.clock.offsetMs = work.clock.offsetMs;
  dying.rollouts.create = () => new Promise(() => undefined);
  void dying.loop.tick(signal);
  while ((await story(modelId)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal((await work.rolloutRows.open(modelId)).length, 0, 'noted, and not there');
  work.clock.offsetMs += 20_000;
  await work.loop.tick(signal);
  t.equal((await work.rolloutRows.open(modelId)).length, 1, 'after the lease the next one makes it');
  await work.loop.tick(signal);
  t.equal((await work.rolloutRows.open(modelId)).length, 1, 'once');
  t.strictSame(await story(modelId), ['rollout'], 'and nothing is decided twice');
});

t.test('what cannot be rolled out is rejected with its reason', async (t) => {
  const { modelId } = await missing('unreachable');
  const broken = await restart(work);
  broken.rollouts.create = () => Promise.reject(new Error('no room'));
  await broken.loop.tick(signal);
  t.match((await work.decisions.page(modelId, 1, 0))[0][0], {
    action: 'rejected',
    reason: /could not be rolled out: .*no room/,
  });
});
