/** Under a clock that a test moves: what is kept goes in its time, files and rows stay together, and orders follow the policies. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DesiredState, SampleHeader } from '@espalier/proto';
import type { SamplingPolicy } from '@espalier/proto/api';
import { sealSample } from '@espalier/proto/seal';
import { ManifestSigner } from '@espalier/server/artifacts/signer';
import { DomainEvents } from '@espalier/server/common/domain-events';
import { EventBus } from '@espalier/server/common/events';
import { DesiredRepository } from '@espalier/server/devices/desired.repository';
import { DesiredService } from '@espalier/server/devices/desired.service';
import { FieldRepository } from '@espalier/server/field/field.repository';
import { FieldDatasets } from '@espalier/server/field/field-datasets';
import { FieldSamples } from '@espalier/server/field/field-samples';
import { SampleFiles } from '@espalier/server/field/sample-files';
import { SampleKey } from '@espalier/server/field/sample-key';
import { SamplingPolicies } from '@espalier/server/field/sampling-policies';
import t from 'tap';
import { addDevice, addVariant, changeDevice, openWork, SAMPLE, scratchFolder } from '../support/work.ts';

const DAY = 86_400_000;
const work = await openWork(scratchFolder(t));
t.teardown(() => work.database.close());
const db = work.database.source;
const published = new Map<string, DesiredState>();
const publisher = {
  publish: async (state: DesiredState) => void published.set(state.deviceId, state),
  forget: async (deviceId: string) => void published.delete(deviceId),
};
const [bus, events] = [new EventBus(work.clock), new DomainEvents()];
const desired = new DesiredService(new DesiredRepository(db), publisher, work.clock);
const [field, files, key] = [new FieldRepository(db), new SampleFiles(work.config), new SampleKey(work.config)];
const signer = await ManifestSigner.open(work.config);
const policies = new SamplingPolicies(
  field,
  work.models,
  work.variantRows,
  desired,
  signer,
  key,
  work.clock,
  bus,
  events,
);
policies.onModuleInit();
const datasets = new FieldDatasets(db, work.config, work.datasets, work.models);
/** As after a restart: what lies on the disk and in the database is all that it knows. */
const begin = () =>
  new FieldSamples(field, files, key, policies, datasets, work.devices, work.models, work.variantRows, work.clock, bus);
const samples = begin();

const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { fileName: 'fashion-ds.onnx' });
const newer = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { fileName: 'fashion-ds.onnx' });
const digest = (await addVariant(work, model.id, 'int8')).digest!;
const other = (await addVariant(work, newer.id, 'float')).digest!;
for (const id of ['dev-a', 'dev-b']) await addDevice(work, id, { servingDigest: digest });

const policy: SamplingPolicy = { enabled: true, confidenceBelow: 0.5, perDay: 5, bytesMax: 1e6, retentionDays: 10 };
const on = (change: Partial<SamplingPolicy> = {}) => policies.set(model.id, { ...policy, ...change }, 'eva');
const folder = work.config.under('field-samples', model.id);
const stored = (): string[] => (existsSync(folder) ? readdirSync(folder) : []);
async function send(deviceId = 'dev-a', daysAgo = 0): Promise<void> {
  const header: SampleHeader = {
    ...{ version: 1, id: randomUUID(), digest, guess: 1, confidence: 0.2 },
    takenAt: new Date(work.clock.now().getTime() - daysAgo * DAY).toISOString(),
    input: { name: model.info.inputs[0]!.name, type: 'float32', shape: [1, 28, 28] },
  };
  const sealed = await sealSample({ header, values: new Uint8Array(784 * 4) }, await key.recipient(), deviceId);
  await samples.take(deviceId, sealed);
}

t.test('orders follow the policy and what a device serves; the same order is not sent twice', async (t) => {
  await on();
  t.strictSame([...published.keys()].sort(), ['dev-a', 'dev-b']);
  const { revision, sampling } = published.get('dev-a')!;
  t.match(sampling?.request, { deviceId: 'dev-a', perDay: 5, model: { name: 'fashion-ds', version: '1' } });
  await policies.tell();
  t.equal(published.get('dev-a')!.revision, revision);
  await changeDevice(work, 'dev-b', { servingDigest: other });
  events.emit('serving', { deviceId: 'dev-b', digest: other });
  await policies.tell('dev-b');
  t.equal(published.get('dev-b')!.sampling, null, 'the next version has no policy of its own');
  await t.rejects(send('dev-b'), { code: 'ESP_SAMPLING_OFF' });
  await on({ perDay: 6 });
  t.match(published.get('dev-a')!.sampling?.request, { perDay: 6 });
});

t.test('of many at once, no more are taken than there is room for', async (t) => {
  const taken = await Promise.allSettled(Array.from({ length: 12 }, () => send()));
  t.equal(taken.filter(({ status }) => status === 'fulfilled').length, 6);
  t.equal(stored().length, 6);
});

t.test('what a device kept while it was away counts for the days on which it was taken', async (t) => {
  for (const daysAgo of [1, 2, 3]) await send('dev-a', daysAgo);
  t.equal(stored().length, 9);
});

t.test('after its days a sample is gone, row and file; the rest stays, labelled or not', async (t) => {
  const [oldest] = await field.ofModel(model.id);
  await samples.label(oldest!.id, 3, true, 'eva');
  work.clock.offsetMs = 7.5 * DAY;
  await samples.tend();
  t.equal(stored().length, 8, 'the one of three days ago');
  await t.rejects(samples.get(oldest!.id), { code: 'ESP_NOT_FOUND' });
  await on({ retentionDays: 1 });
  await samples.tend();
  t.strictSame(stored(), [], 'a shorter time holds for what is there');
  await on();
});

t.test('a file without a row goes at the next start; a row without its file says what is missing', async (t) => {
  await send();
  writeFileSync(path.join(folder, 'fld-stray.jwe'), 'left by a kill');
  mkdirSync(work.config.under('field-samples', 'mod-gone'));
  writeFileSync(work.config.under('field-samples', 'mod-gone', 'fld-1.jwe'), 'of a deleted model');
  await begin().tend();
  t.equal(stored().length, 1);
  t.notOk(existsSync(work.config.under('field-samples', 'mod-gone')));
  const [one] = await field.ofModel(model.id);
  rmSync(path.join(folder, `${one!.id}.jwe`));
  await t.rejects(samples.open(one!), { code: 'ESP_SAMPLE_UNREADABLE', action: /backup/ });
});

t.test('without the key nothing is read, and a new key is told to the devices', async (t) => {
  await send();
  const one = (await field.ofModel(model.id)).at(-1)!;
  rmSync(work.config.under('keys', 'field-samples.key'));
  const before = published.get('dev-a')!.sampling!.request.recipient.x;
  const anew = new SampleKey(work.config);
  await t.rejects(anew.open(await files.read(model.id, one.id), 'dev-a'));
  t.not((await anew.recipient()).x, before);
});

t.test('a model takes its samples along when it is deleted', async (t) => {
  await work.models.remove(model.id);
  await samples.removeAll(model.id);
  t.notOk(existsSync(folder));
  t.equal(await field.policy(model.id), null);
  await policies.tell();
  t.equal(published.get('dev-a')!.sampling, null);
});
