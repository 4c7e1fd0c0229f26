/** The MQTT door: a device reaches its own branches, what it reports counts once, and what is wanted of it reaches it. */
import { randomUUID } from 'node:crypto';
import { topics } from '@espalier/proto';
import type { DeviceView, MeasurementView } from '@espalier/proto/api';
import t from 'tap';
import { makeAuthority } from '../../../../test/support/authority.ts';
import { openController, scratchFolder, signInAsAdmin } from '../support/controller.ts';
import { connectMqtt, devicesClient, enrolDevice, facts, openSession, poll, unary } from '../support/device.ts';

const controller = await openController(scratchFolder(t));
t.teardown(() => controller.close());
const admin = await signInAsAdmin(controller);
const view = async (id: string): Promise<DeviceView> => (await admin.call<DeviceView>('GET', `/devices/${id}`)).body;

const status = (sessionId: string, online = true): unknown => ({
  ...{ online, sessionId, bootId: null, agentVersion: '0.1.0', at: null },
});
const serving = (digest: string, at: string, healthy = true): unknown => ({
  ...{ digest, previousDigest: null, model: 'net', healthy, endpoint: 'http://127.0.0.1:4290', error: null, at },
});
const window = (digest: string, p95Us: number, adapter = 'onnxruntime', version = '1.30.0'): unknown => ({
  ...{ digest, scenario: 'single-stream', batch: 1, n: 500, p50Us: p95Us - 10, p95Us, p99Us: p95Us + 10 },
  ...{ startedAt: new Date(Date.now() - 1000).toISOString(), endedAt: new Date().toISOString(), histogram: 'HISTF' },
  ...{ class: 'clean', coldStartUs: null, rssBytes: 4e7, temperatureC: null, errors: 0 },
  runtime: { adapter, version, optionsDigest: 'x', powerMode: null, soc: null },
});

t.test('what a device reports is stored, acknowledged and shown', async (t) => {
  const device = await enrolDevice(admin);
  const session = await openSession(device);
  t.teardown(() => session.client.endAsync(true));
  await session.report('status', status('s1'));
  t.equal((await view(device.id)).status, 'online');
  const digest = 'a'.repeat(64);
  await session.report('serving', serving(digest, new Date().toISOString()));
  await session.report('measurement', window(digest, 200));
  t.match(await view(device.id), { serving: { digest }, latency: { p95Us: 200, n: 500, class: 'clean' } });
  t.equal((await view(device.id)).runtime, 'onnxruntime 1.30.0');
  await session.report('measurement', window(digest, 150, 'litert', '2.3.0'));
  t.equal((await view(device.id)).runtime, 'litert 2.3.0', 'the device has chosen another one since');
});

t.test('a message that comes again is acknowledged again and counts once, by MQTT and by gRPC', async (t) => {
  const device = await enrolDevice(admin);
  const session = await openSession(device);
  t.teardown(() => session.client.endAsync(true));
  const [id, digest] = [randomUUID(), 'b'.repeat(64)];
  await session.report('measurement', window(digest, 300), id);
  await session.report('measurement', window(digest, 300), id);
  const client = devicesClient(device);
  t.teardown(() => client.close());
  const message = Buffer.from(JSON.stringify({ version: 1, id, kind: 'measurement', body: window(digest, 300) }));
  const answer = await unary<{ storedIds: string[] }>((done) => client.uploadReports({ messages: [message] }, done));
  t.strictSame(answer.storedIds, [id]);
  const { body } = await admin.call<MeasurementView[]>('GET', `/devices/${device.id}/measurements`);
  t.equal(body.length, 1);
});

t.test('an older report about serving changes nothing, and an unhealthy one degrades', async (t) => {
  const device = await enrolDevice(admin);
  const session = await openSession(device);
  t.teardown(() => session.client.endAsync(true));
  await session.report('serving', serving('c'.repeat(64), '2026-05-01T10:00:00Z'));
  await session.report('serving', serving('d'.repeat(64), '2026-05-01T09:00:00Z'));
  t.equal((await view(device.id)).serving?.digest, 'c'.repeat(64));
  await session.report('serving', serving('c'.repeat(64), '2026-05-01T11:00:00Z', false));
  t.equal((await view(device.id)).status, 'degraded');
});

t.test('the last will of an older session says nothing about a newer one', async (t) => {
  const device = await enrolDevice(admin);
  const session = await openSession(device);
  t.teardown(() => session.client.endAsync(true));
  await session.report('status', status('new'));
  await session.report('status', status('old', false));
  t.equal((await view(device.id)).status, 'online');
  await session.report('status', status('new', false));
  t.equal((await view(device.id)).status, 'offline');
});

t.test('a device whose connection breaks is offline by its last will', async (t) => {
  const device = await enrolDevice(admin);
  const payload = JSON.stringify({ version: 1, id: randomUUID(), kind: 'status', body: status('s1', false) });
  const will = { topic: topics.up(device.id, 'status'), payload: Buffer.from(payload), qos: 1, retain: false } as const;
  const client = await connectMqtt(device.info.mqttUrl, device.id, { ...device, will });
  // With subscriptions to end first, the broker sends the will after the connection is gone.
  await client.subscribeAsync(topics.downAll(device.id), { qos: 1 });
  const online = { version: 1, id: randomUUID(), kind: 'status', body: status('s1') };
  await client.publishAsync(topics.up(device.id, 'status'), JSON.stringify(online), { qos: 1 });
  const turns = (to: string) => poll(async () => ((await view(device.id)).status === to ? true : null), to);
  await t.resolves(turns('online'));
  client.stream.destroy();
  await t.resolves(turns('offline'));
});

t.test('a message that is none is left out, and the ones after it are taken', async (t) => {
  const device = await enrolDevice(admin);
  const session = await openSession(device);
  t.teardown(() => session.client.endAsync(true));
  await session.client.publishAsync(topics.up(device.id, 'status'), '{"version":1', { qos: 1 });
  await session.client.publishAsync(topics.up(device.id, 'serving'), '{"version":1,"id":"12345678","kind":"x"}', {
    qos: 1,
  });
  await t.resolves(session.report('status', status('s1')));
});

t.test('facts that change the profile reach the device as a new revision of what is wanted', async (t) => {
  const device = await enrolDevice(admin, facts('edge', ['avx2', 'fma']));
  const session = await openSession(device);
  t.teardown(() => session.client.endAsync(true));
  await session.report('facts', { ...facts('edge', []), arch: 'arm64' });
  const state = await session.desired(({ profile }) => profile?.id === 'arm64-neon');
  t.ok(state.revision >= 1);
  t.equal(state.target, null);
  const client = devicesClient(device);
  t.teardown(() => client.close());
  const poll = (knownRevision: bigint): Promise<{ document: Uint8Array }> =>
    unary((done) => client.getDesiredState({ knownRevision }, done));
  t.strictSame(JSON.parse(String(Buffer.from((await poll(0n)).document))), state, 'a poll answers the same document');
  t.equal((await poll(BigInt(state.revision))).document.length, 0, 'and nothing when nothing is newer');
});

t.test('a device reaches no branch but its own', async (t) => {
  const [device, other] = [await enrolDevice(admin), await enrolDevice(admin)];
  const client = await connectMqtt(device.info.mqttUrl, device.id, device);
  t.teardown(() => client.endAsync(true));
  for (const topic of [
    topics.downAll(other.id),
    topics.desired(other.id),
    topics.upAll(),
    'esp/1/+/down/#',
    '#',
    '$SYS/#',
  ]) {
    const granted = await client.subscribeAsync(topic, { qos: 1 }).catch(() => []);
    t.ok(
      granted.every(({ qos }) => qos === 128),
      `may not subscribe to ${topic}`,
    );
  }
  const refused = new Promise((resolve) => client.once('close', () => resolve('closed')));
  const sent = JSON.stringify({ version: 1, id: randomUUID(), kind: 'status', body: status('forged') });
  client.publish(topics.up(other.id, 'status'), sent, { qos: 1 }, () => undefined);
  t.equal(await refused, 'closed', 'one that writes to another branch loses its session');
  t.equal((await view(other.id)).lastSeenAt, (await view(other.id)).enrolledAt, 'and the message went nowhere');
});

t.test('the certificate is the identity: another client id, no certificate or a foreign one is refused', async (t) => {
  const [device, other] = [await enrolDevice(admin), await enrolDevice(admin)];
  const stranger = await (await makeAuthority(scratchFolder(t))).issue(device.id);
  const { mqttUrl } = device.info;
  await t.rejects(connectMqtt(mqttUrl, other.id, device), 'a client id that is not its name');
  await t.rejects(connectMqtt(mqttUrl, device.id, { ca: device.ca }), 'no certificate');
  await t.rejects(
    connectMqtt(mqttUrl, device.id, { ca: device.ca, ...stranger }),
    'a certificate of another authority',
  );
});

t.test('a removed device loses its session and gets no new one', async (t) => {
  const device = await enrolDevice(admin);
  const session = await openSession(device);
  const closed = new Promise((resolve) => session.client.once('close', () => resolve('closed')));
  await admin.call('DELETE', `/devices/${device.id}`);
  t.equal(await closed, 'closed');
  await t.rejects(connectMqtt(device.info.mqttUrl, device.id, device));
});

t.test('a broker that lost everything gets every desired state again when the controller starts', async (t) => {
  const dataDir = scratchFolder(t);
  const first = await openController(dataDir);
  const device = await enrolDevice(await signInAsAdmin(first), facts('again', ['avx2', 'fma']));
  const before = await openSession(device);
  await before.report('facts', { ...facts('again', []), arch: 'arm64' });
  const { revision } = await before.desired(({ profile }) => profile?.id === 'arm64-neon');
  await before.client.endAsync(true);
  await first.close();

  const second = await openController(dataDir);
  t.teardown(() => second.close());
  const { body: info } = await (await signInAsAdmin(second)).call<typeof device.info>('GET', '/enrolment');
  const after = await openSession({ ...device, info });
  t.teardown(() => after.client.endAsync(true));
  t.equal((await after.desired(() => true)).revision, revision);
});
