/** A latency table over the real contract: REST asks, a job makes the networks, a device is told over MQTT, fetches and answers. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runtimeVersion } from '@espalier/compression/runtime/session';
import { sha256Hex, type TimingRequest } from '@espalier/proto';
import type { ModelView, TableView } from '@espalier/proto/api';
import t from 'tap';
import { caller, openController, scratchFolder, signInAsAdmin } from '../support/controller.ts';
import { enrolDevice, facts, fetchBlob, openSession } from '../support/device.ts';
import { SAMPLE } from '../support/work.ts';

const controller = await openController(scratchFolder(t));
t.teardown(() => controller.close());
const admin = await signInAsAdmin(controller);
const runtimes = [{ adapter: 'onnxruntime', version: runtimeVersion(), providers: ['cpu'] }];
const device = await enrolDevice(admin, { ...facts('lab', ['avx2', 'fma']), runtimes });
const session = await openSession(device);
t.teardown(() => session.client.end(true));
const at = new Date().toISOString();
await session.report('status', { online: true, bootId: null, sessionId: 's', agentVersion: '0.1.0', at });

const upload = await admin.open('/models?name=fashion-ds', {
  ...{ method: 'POST', headers: { 'content-type': 'application/octet-stream' } },
  body: readFileSync(path.join(SAMPLE, 'fashion-ds.onnx')),
});
const model = (await upload.json()) as ModelView;
const profile = 'x64-avx2';

/** What the device measured: the narrower, the faster. */
const timesOf = (request: TimingRequest) => ({
  ...{ requestId: request.id, deviceSeconds: 9, error: null, at: new Date().toISOString() },
  networks: request.networks.map(({ sha256 }, place) => ({
    ...{ sha256, p50Us: 200 - 10 * place, n: 200, class: 'clean' },
    nodes: { 'stem.conv': 100 - 5 * place, 'block1.dw.conv': 80 - 4 * place },
  })),
  runtime: { adapter: 'onnxruntime', version: runtimeVersion(), optionsDigest: 'o', powerMode: null, soc: 'Test CPU' },
});

t.test('asked, planned in a job, told, fetched, answered, shown', async (t) => {
  const asked = await admin.call<TableView[]>('POST', `/models/${model.id}/tables`, { profile });
  t.match(asked, { status: 202, body: [{ profile, state: 'measuring', reason: /networks are being made/ }] });
  let request: TimingRequest | null = null;
  for (let tries = 0; tries < 20 && !request; tries++)
    request = await session
      .desired(({ timing }) => Boolean(timing))
      .then(
        ({ timing }) => timing!.request,
        () => null,
      );
  t.equal(request!.networks.length, 7);
  const [whole] = request!.networks;
  const parts = await fetchBlob(device, whole!.sha256);
  t.equal(sha256Hex(Buffer.concat(parts.map(({ data }) => data))), whole!.sha256, 'it gets the file it was promised');
  await session.report('timing', timesOf(request!));
  await session.desired(({ timing }) => !timing);
  const { body } = await admin.call<TableView[]>('GET', `/models/${model.id}/tables`);
  t.match(body, [{ state: 'measured', devices: [device.id], table: { anchorUs: 200, key: { profile } } }]);
  t.ok(body[0]!.table!.rows.some(({ node, usPerWork }) => node === 'stem.conv' && usPerWork > 0));
});

t.test('the loop’s switches and a person’s word have their routes, and viewers may not use them', async (t) => {
  const route = `/models/${model.id}/loop/${profile}`;
  const { body } = await admin.call<ModelView>('PUT', route, { automatic: false });
  t.match(body, { fleet: [{ profile, automatic: false }] });
  t.match(await admin.call('PUT', `/models/${model.id}/loop/no-such`, { automatic: false }), { status: 404 });
  t.match(await admin.call('POST', '/decisions/none/approve'), { status: 404 });
  t.match(await admin.call('GET', '/decisions/now'), { status: 200, body: [] });
  t.match(await caller(controller).call('PUT', route, { automatic: true }), { status: 401 });
});
