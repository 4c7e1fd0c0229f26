/** A latency table from plan to build, on a real database: devices asked, answered, late, lying, and the table going stale. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runtimeVersion } from '@espalier/compression/runtime/session';
import { isSignatureOf, sha256Hex, type TimingMessage } from '@espalier/proto';
import { ManifestSigner } from '@espalier/server/artifacts/signer';
import t from 'tap';
import { facts } from '../support/device.ts';
import {
  addDevice,
  addVariant,
  changeDevice,
  measure,
  openWork,
  restart,
  SAMPLE,
  scratchFolder,
} from '../support/work.ts';

const folder = scratchFolder(t);
const work = await openWork(folder);
t.teardown(() => work.database.close());
const PROFILE = 'x64-avx2';
const runtimes = [{ adapter: 'onnxruntime', version: runtimeVersion(), providers: [] }];
const about = { ...facts('lab'), runtimes, soc: 'cpu' };
const ids = ['a', 'b', 'c'];
for (const id of ids) await addDevice(work, id, { facts: about as never });
const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { name: 'tables' });

/** What the job's worker leaves: networks of half the work each time. */
function plannedFiles(outDir: string) {
  mkdirSync(outDir, { recursive: true });
  return [1, 0.5].map((share, at) => {
    const bytes = randomBytes(64);
    const file = { path: `network-${at}.onnx`, bytes: bytes.length, sha256: sha256Hex(bytes) };
    writeFileSync(path.join(outDir, file.path), bytes);
    return { share, file, works: { conv: { op: 'Conv', work: 1e6 * share } } };
  });
}

async function plan(): Promise<string> {
  const jobId = await work.planner.planTable(model.id, PROFILE, 'test');
  const job = await work.jobs.get(jobId);
  const outDir = path.join(folder, 'out', jobId);
  await work.planner.succeeded(job, plannedFiles(outDir), outDir);
  await work.jobs.cancel(jobId, async () => undefined);
  return (await work.plans.plans(model.id, PROFILE))[0]!.id;
}

const orderOf = (deviceId: string) => work.published.get(deviceId)?.timing?.request ?? null;

function answer(deviceId: string, us: number, change: Partial<TimingMessage> = {}): TimingMessage {
  const request = orderOf(deviceId)!;
  return {
    ...{ requestId: request.id, deviceSeconds: 12, error: null, at: new Date().toISOString() },
    networks: request.networks.map(({ sha256 }, at) => ({
      ...{ sha256, n: 200, class: 'clean' as const, p50Us: us / (at + 1) },
      nodes: { conv: us / (at + 1) },
    })),
    runtime: { adapter: 'onnxruntime', version: runtimeVersion(), optionsDigest: 'o', powerMode: null, soc: 'cpu' },
    ...change,
  };
}
const state = () => work.tables.latest(model.id, PROFILE);

t.test('three devices share a plan; the slowest plans, and a build gets the table', async (t) => {
  t.equal(await work.tables.of(model.id, PROFILE, 'pruned-int8'), null);
  await plan();
  t.match(await work.tables.underWay(model.id, PROFILE), { state: 'measuring' });
  const signer = await ManifestSigner.open(work.config);
  for (const id of ids) {
    const { request, signature } = work.published.get(id)!.timing!;
    t.ok(isSignatureOf(request, signature, signer.publicKeys()) && request.deviceId === id);
    t.strictSame(request.classes, ['clean'], 'only windows in which the device was alone');
  }
  const said = answer('a', 100);
  await work.timing.answered('a', said);
  await work.timing.answered('a', said);
  t.equal(orderOf('a'), null, 'it is not asked again');
  await work.timing.answered('b', answer('b', 110));
  t.equal(await state(), null, 'not before all have answered');
  const next = await restart(work);
  await next.timing.answered('c', answer('c', 105));
  const table = await work.tables.of(model.id, PROFILE, 'pruned-int8');
  t.match(table, {
    anchorUs: 110,
    key: { profile: PROFILE, soc: 'cpu' },
    rows: [{ node: 'conv', origin: 'measured' }],
  });
  t.equal(await work.tables.of(model.id, PROFILE, 'int8'), null, 'other recipes need none');
});

t.test('one that does not answer in time is left out, and what comes later changes nothing', async (t) => {
  await plan();
  await work.timing.answered('a', answer('a', 50));
  await work.timing.answered('b', answer('b', 50, { error: { code: 'E', message: 'never quiet', action: '' } }));
  const late = answer('c', 500);
  work.clock.offsetMs += 21 * 60_000;
  await work.planner.settleAll();
  const latest = (await state())!;
  t.match(latest.plan, { state: 'done', reason: /b: never quiet; c: it did not answer in time/ });
  t.strictSame(latest.merged.devices, ['a']);
  await work.timing.answered('c', late);
  t.strictSame((await state())!.merged.devices, ['a']);
});

t.test('a table of another power mode, processor or runtime is stale and not used', async (t) => {
  work.clock.offsetMs += 1000;
  const runtime = { adapter: 'onnxruntime', version: '1.30.0', optionsDigest: 'x', soc: null };
  for (const id of ids)
    await measure(work, id, 'f'.repeat(64), 100, { runtime: { ...runtime, powerMode: 'powersave' } });
  t.match((await state())!.stale, /power mode powersave instead of unknown/);
  t.equal(await work.tables.of(model.id, PROFILE, 'pruned-int8'), null);
  work.clock.offsetMs += 1000;
  for (const id of ids) await measure(work, id, 'f'.repeat(64), 100, { runtime: { ...runtime, powerMode: null } });
  t.equal((await state())!.stale, null);
  for (const id of ids) await changeDevice(work, id, { facts: { ...about, soc: 'other' } as never });
  t.match((await state())!.stale, /processor other instead of cpu/);
  for (const id of ids) await changeDevice(work, id, { facts: about as never });
});

t.test('a build is tried by one device before it serves', async (t) => {
  const variant = await addVariant(work, model.id, 'int8');
  await work.planner.planTrial(variant);
  const asked = ids.filter((id) => orderOf(id) !== null);
  t.equal(asked.length, 1);
  t.match(orderOf(asked[0]!), { networks: [{ sha256: variant.files[0]!.sha256, profiled: false }] });
  await work.timing.answered(asked[0]!, answer(asked[0]!, 77));
  t.equal((await work.variants.get(variant.id)).trialUs, 77);
});

t.test('without a device, and without a job, a plan ends and says so', async (t) => {
  for (const id of ids) await changeDevice(work, id, { online: false });
  const lost = await plan();
  t.match(await work.plans.find(lost), { state: 'failed', reason: /No device of profile x64-avx2/ });
  const jobId = await work.planner.planTable(model.id, PROFILE, 'test');
  await work.variants.cancelJob(jobId);
  await work.planner.settleAll();
  t.match((await work.plans.plans(model.id, PROFILE))[0], { state: 'failed', reason: /its job ended/ });
});
