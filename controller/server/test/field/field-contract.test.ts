/**
 * Samples over the real contract: switched on by an admin, ordered over MQTT with a signature, sent sealed over gRPC with the
 * device's certificate, judged, kept sealed, labelled, made evaluation data, deleted.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describeDataset } from '@espalier/compression';
import { isSignatureOf, type SampleHeader, type SamplingOrder } from '@espalier/proto';
import type { DatasetRow, FieldSampleRow, ModelView, Page, SamplingView, VariantRow } from '@espalier/proto/api';
import { sealSample } from '@espalier/proto/seal';
import t from 'tap';
import { caller, openController, scratchFolder, signInAsAdmin } from '../support/controller.ts';
import { devicesClient, enrolDevice, facts, openSession, type TestDevice, unary } from '../support/device.ts';
import { SAMPLE } from '../support/work.ts';

const dataDir = scratchFolder(t);
const controller = await openController(dataDir);
t.teardown(() => controller.close());
const admin = await signInAsAdmin(controller);
const device = await enrolDevice(admin, facts('lab', ['avx2', 'fma']));
const other = await enrolDevice(admin, facts('other', ['avx2', 'fma']));
const session = await openSession(device);
t.teardown(() => session.client.end(true));

const upload = await admin.open('/models?name=fashion-ds', {
  ...{ method: 'POST', headers: { 'content-type': 'application/octet-stream' } },
  body: readFileSync(path.join(SAMPLE, 'fashion-ds.onnx')),
});
const model = (await upload.json()) as ModelView;
const preprocess = JSON.parse(readFileSync(path.join(SAMPLE, 'fashion-ds.preprocess.json'), 'utf8')) as unknown;
const labels = readFileSync(path.join(SAMPLE, 'labels.txt'), 'utf8').trim().split('\n');
await admin.call('PATCH', `/models/${model.id}`, { preprocess, labels });
await admin.call('POST', `/models/${model.id}/optimize`, { profiles: ['x64-avx2'], recipes: ['float'] });
let digest = '';
for (let tries = 0; tries < 150 && !digest; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 200));
  digest = (await admin.call<VariantRow[]>('GET', '/variants')).body[0]?.digest ?? '';
}
if (!digest) throw new Error('no build within 30 s');
const serve = async (of: string | null) =>
  session.report('serving', {
    ...{ digest: of, previousDigest: null, model: 'fashion-ds', healthy: true, endpoint: null, error: null },
    at: new Date().toISOString(),
  });
await serve(digest);

const policy = { enabled: true, confidenceBelow: 0.5, perDay: 3, bytesMax: 1_000_000, retentionDays: 7 };
const ordered = async (): Promise<SamplingOrder> =>
  (await session.desired(({ sampling }) => Boolean(sampling))).sampling!;
const input = { name: model.info.inputs[0]!.name, type: 'float32' as const, shape: [1, 28, 28] };
/** A picture whose every pixel is 200, as the model takes it. */
const values = (): Uint8Array => new Uint8Array(new Float32Array(784).fill((200 / 255 - 0.286) / 0.353).buffer);
const headerOf = (change: Partial<SampleHeader> = {}): SampleHeader => ({
  ...{ version: 1, id: randomUUID(), digest, takenAt: new Date().toISOString(), guess: 3, confidence: 0.31, input },
  ...change,
});
const clients = new Map([device, other].map((one) => [one.id, devicesClient(one)]));
t.teardown(() => {
  for (const one of clients.values()) one.close();
});
async function send(
  change: Partial<SampleHeader> = {},
  of: Uint8Array = values(),
  by: TestDevice = device,
  as = by.id,
) {
  const sealed = await sealSample({ header: headerOf(change), values: of }, (await ordered()).request.recipient, as);
  return unary((done) => clients.get(by.id)!.uploadSample({ sealed }, done));
}
const samples = async (state = 'open') =>
  (await admin.call<Page<FieldSampleRow>>('GET', `/models/${model.id}/field-samples?state=${state}`)).body;

t.test('by default nothing is asked of devices, and nothing is taken', async (t) => {
  const { body } = await admin.call<SamplingView>('GET', `/models/${model.id}/sampling`);
  t.match(body, {
    policy: { enabled: false, confidenceBelow: 0.5, perDay: 20, retentionDays: 30 },
    unfit: null,
    devices: 0,
  });
  const { document } = await unary<{ document: Buffer }>((done) =>
    clients.get(device.id)!.getDesiredState({ knownRevision: 0n }, done),
  );
  t.notOk(String(document).includes('recipient'));
  t.notOk(existsSync(path.join(dataDir, 'keys', 'field-samples.key')), 'there is not even a key');
  await t.rejects(
    unary((done) => clients.get(device.id)!.uploadSample({ sealed: Buffer.from('anything') }, done)),
    { message: /ESP_SAMPLING_OFF/ },
  );
});

t.test('an admin switches it on, and the device that serves the model is asked, in a signed order', async (t) => {
  const viewer = caller(controller);
  t.match(await viewer.call('PUT', `/models/${model.id}/sampling`, policy), { status: 401 });
  const answer = await admin.call<SamplingView>('PUT', `/models/${model.id}/sampling`, policy);
  t.match(answer, { status: 200, body: { policy, devices: 1, labels } });
  const { request, signature } = await ordered();
  t.match(request, { deviceId: device.id, model: { name: 'fashion-ds' }, perDay: 3, recipient: { crv: 'X25519' } });
  t.equal('d' in request.recipient, false, 'the private key stays here');
  t.notOk(isSignatureOf(request, signature, {}), 'a device that trusts no key takes no order');
  const key = path.join(dataDir, 'keys', 'field-samples.key');
  t.equal(statSync(key).mode & 0o777, 0o600);
});

t.test('a sample is taken once, kept sealed, and shown as the picture it was', async (t) => {
  const id = randomUUID();
  await send({ id });
  await send({ id });
  const { items, total } = await samples();
  t.equal(total, 1);
  t.match(items[0], {
    deviceId: device.id,
    deviceName: 'lab',
    guess: 3,
    confidence: 0.31,
    shownAs: 'picture',
    label: null,
  });
  const [file] = readdirSync(path.join(dataDir, 'field-samples', model.id));
  const stored = path.join(dataDir, 'field-samples', model.id, file!);
  t.equal(statSync(stored).mode & 0o777, 0o600);
  t.notOk(readFileSync(stored).includes(Buffer.from(values().subarray(0, 16))), 'its values do not stand in the file');
  t.notMatch(readFileSync(stored, 'utf8'), /confidence|guess|float32/, 'nor does what is said of it');
  const picture = await admin.open(`/field-samples/${items[0]!.id}/picture`);
  t.equal(picture.headers.get('content-type'), 'image/png');
  const { default: sharp } = await import('sharp');
  const { data, info } = await sharp(Buffer.from(await picture.arrayBuffer()))
    .raw()
    .toBuffer({ resolveWithObject: true });
  t.match(info, { width: 28, height: 28 });
  t.equal(data[0], 200, 'the preprocessing is undone to the pixel');
  t.match((await admin.call('GET', `/field-samples/${items[0]!.id}/values`)).body, {
    shape: [1, 28, 28],
    type: 'float32',
  });
});

t.test('viewers see that it is on, operators what was kept, and only admins decide', async (t) => {
  const [one] = (await samples()).items;
  for (const [role, expected] of [
    ['viewer', [200, 403, 403, 403, 403, 403, 403]],
    ['operator', [200, 200, 200, 200, 200, 403, 403]],
  ] as const) {
    await admin.call('POST', '/users', { name: role, role, password: 'long enough 1' });
    const { headers } = await caller(controller).call('POST', '/session', { name: role, password: 'long enough 1' });
    const who = caller(controller, { cookie: headers.get('set-cookie')!.split(';')[0]! });
    const found = [
      await who.call('GET', `/models/${model.id}/sampling`),
      await who.call('GET', `/models/${model.id}/field-samples`),
      await who.call('GET', `/field-samples/${one!.id}/picture`),
      await who.call('GET', `/field-samples/${one!.id}/values`),
      await who.call('PUT', `/field-samples/${one!.id}/label`, { label: null }),
      await who.call('PUT', `/models/${model.id}/sampling`, policy),
      await who.call('DELETE', `/models/${model.id}/field-samples`),
    ];
    t.strictSame(
      found.map(({ status }) => status),
      expected,
      role,
    );
  }
});

t.test('what does not belong here is refused, each with its reason', async (t) => {
  const week = 8 * 86_400_000;
  for (const [name, refused, reason] of [
    ['a device that does not serve the model', () => send({}, values(), other), /ESP_SAMPLING_OFF/],
    ['a sample that another device sealed', () => send({}, values(), device, other.id), /another device/],
    ['another build', () => send({ digest: 'f'.repeat(64) }), /none of the sampled model/],
    ['another shape', () => send({ input: { ...input, shape: [28, 28, 1] } }), /the model takes/],
    ['fewer values than the shape says', () => send({}, values().subarray(4)), /bytes of values/],
    ['a class that there is not', () => send({ guess: 10 }), /class 10/],
    ['one from the future', () => send({ takenAt: new Date(Date.now() + week).toISOString() }), /future/],
    ['one that is too old', () => send({ takenAt: new Date(Date.now() - week).toISOString() }), /older/],
    [
      'bytes that are no sample',
      () => unary((done) => clients.get(device.id)!.uploadSample({ sealed: Buffer.alloc(99) }, done)),
      /ESP_SAMPLE_REFUSED/,
    ],
  ] as const)
    await t.rejects(refused(), { message: reason }, name);
  t.equal((await samples()).total, 1);
});

t.test('a device that sends without end meets the limits of its day', async (t) => {
  await send();
  await send();
  await t.rejects(send(), { message: /there are 3 of that day/ });
  const tight = { ...policy, perDay: 100, bytesMax: 65_536 };
  await admin.call('PUT', `/models/${model.id}/sampling`, tight);
  await session.desired(({ sampling }) => sampling?.request.perDay === 100);
  const noise = (): Uint8Array => new Uint8Array(Float32Array.from({ length: 784 }, Math.random).buffer);
  const sent = await Promise.allSettled(Array.from({ length: 40 }, () => send({}, noise())));
  const refusals = sent.flatMap((one) => (one.status === 'rejected' ? [String(one.reason.details)] : []));
  t.ok(refusals.length > 10);
  t.ok(
    refusals.every((text) => text.includes('ESP_SAMPLE_QUOTA')),
    'sent later, not for nothing',
  );
  const bytes = (await admin.call<SamplingView>('GET', `/models/${model.id}/sampling`)).body.sizeBytes;
  t.ok(bytes <= 65_536 && bytes > 55_000, `${bytes} bytes are kept`);
});

t.test('people label; the labelled become evaluation data beside what there was', async (t) => {
  const pair = (part: string) =>
    `idx:${SAMPLE}/${part}-subset-images-idx3-ubyte.gz,${SAMPLE}/${part}-subset-labels-idx1-ubyte.gz?to=50`;
  t.match(await admin.call('POST', `/models/${model.id}/field-samples/dataset`, {}), {
    status: 409,
    body: { code: 'ESP_TOO_FEW_LABELS' },
  });
  const [first, second, third, fourth] = (await samples()).items;
  const label = (one: FieldSampleRow, body: object) =>
    admin.call<FieldSampleRow>('PUT', `/field-samples/${one.id}/label`, body);
  t.match(await label(first!, { label: 10 }), { status: 400, body: { code: 'ESP_LABEL_UNKNOWN' } });
  t.match(await label(first!, { label: 4 }), { body: { state: 'labelled', label: 4 } });
  await label(second!, { label: 7 });
  await label(third!, { label: 1 });
  t.match(await label(third!, { label: null }), { body: { state: 'open', label: null, labelledBy: null } });
  t.match(await label(third!, { label: null, usable: false }), { body: { state: 'unusable' } });
  const base = await admin.call<DatasetRow>('POST', '/datasets', {
    name: 'fashion',
    calibrate: pair('train'),
    evaluate: pair('test'),
  });
  await admin.call('PATCH', `/models/${model.id}`, { datasetId: base.body.id });
  const made = await admin.call<DatasetRow>('POST', `/models/${model.id}/field-samples/dataset`, {});
  t.match(made, {
    status: 201,
    body: { fieldSamples: 2, evaluationSamples: 52, calibrationSamples: 50, labelled: true },
  });
  t.match(await describeDataset(made.body.evaluate!), { n: 52, labelled: true, classes: 10 });
  await admin.call('PATCH', `/models/${model.id}`, { datasetId: made.body.id });
  await label(fourth!, { label: 2 });
  const again = await admin.call<DatasetRow>('POST', `/models/${model.id}/field-samples/dataset`, {});
  t.match(
    again.body,
    { fieldSamples: 3, evaluationSamples: 53 },
    'samples are appended to the data of the model, not to samples',
  );
  await admin.call('PATCH', `/models/${model.id}`, { datasetId: null });
  const alone = await admin.call<DatasetRow>('POST', `/models/${model.id}/field-samples/dataset`, { name: 'alone' });
  t.match(alone.body, { fieldSamples: 1, calibrationSamples: 2, evaluationSamples: 1 });
  await admin.call('PATCH', `/models/${model.id}`, { datasetId: again.body.id });
});

t.test('switched off: devices are told to keep nothing, and what is here stays until it is deleted', async (t) => {
  const { total } = await samples();
  await admin.call('PUT', `/models/${model.id}/sampling`, { ...policy, enabled: false });
  t.equal((await session.desired(({ sampling }) => !sampling)).sampling, null);
  t.equal((await samples()).total, total);
  const [one] = (await samples()).items;
  t.match(await admin.call('DELETE', `/field-samples/${one!.id}`), { status: 204 });
  t.match(await admin.call('GET', `/field-samples/${one!.id}/picture`), { status: 404 });
  t.match(await admin.call('DELETE', `/models/${model.id}/field-samples`), { status: 200, body: { datasets: 3 } });
  t.notOk(existsSync(path.join(dataDir, 'field-samples', model.id)));
  t.strictSame(readdirSync(path.join(dataDir, 'datasets')), [], 'the plain copies are gone too');
  const { body } = await admin.call<ModelView>('GET', `/models/${model.id}`);
  const rows = (await admin.call<DatasetRow[]>('GET', '/datasets')).body;
  t.match(rows, [{ name: 'fashion' }]);
  t.equal(body.datasetId, rows[0]!.id, 'and the model is back at its own data');
  const { items } = (await admin.call<Page<{ action: string }>>('GET', '/audit?limit=200')).body;
  for (const action of [
    'sampling switched on',
    'sampling switched off',
    'field sample labelled',
    'field samples deleted',
  ])
    t.ok(
      items.some((entry) => entry.action === action),
      action,
    );
});

t.test('a device that serves something else is told so, though its model is still sampled', async (t) => {
  await admin.call('PUT', `/models/${model.id}/sampling`, policy);
  await ordered();
  await serve(null);
  await session.desired(({ sampling }) => !sampling);
  t.match((await admin.call<SamplingView>('GET', `/models/${model.id}/sampling`)).body, { devices: 0 });
});
