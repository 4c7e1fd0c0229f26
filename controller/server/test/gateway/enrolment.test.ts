/** How a device comes in: one token, one device, a certificate that the controller names, and no other way. */
import { X509Certificate } from 'node:crypto';
import type { AuditEntry, DeviceView, EnrolmentInfo, EnrolmentToken, Page } from '@espalier/proto/api';
import { DevicesClient } from '@espalier/proto/grpc';
import * as grpc from '@grpc/grpc-js';
import t from 'tap';
import { makeAuthority } from '../../../../test/support/authority.ts';
import { openController, scratchFolder, signInAsAdmin } from '../support/controller.ts';
import {
  callEnrol,
  devicesClient,
  enrolDevice,
  facts,
  fetchBlob,
  mutualTls,
  newRequest,
  newToken,
  unary,
} from '../support/device.ts';

const controller = await openController(scratchFolder(t));
t.teardown(() => controller.close());
const admin = await signInAsAdmin(controller);
const { body: info } = await admin.call<EnrolmentInfo>('GET', '/enrolment');

t.test('a device enrols, is named by the controller, and its facts choose its profile', async (t) => {
  const device = await enrolDevice(admin, facts('kitchen-camera', ['avx2', 'fma']));
  t.match(device.id, /^dev-[a-z0-9]{8}$/);
  const certificate = new X509Certificate(device.cert);
  t.equal(certificate.subject, `CN=${device.id}`, 'what the request called itself is ignored');
  t.ok(certificate.verify(new X509Certificate(device.ca).publicKey));
  const days = (certificate.validToDate.getTime() - Date.now()) / 86_400_000;
  t.ok(days > 29 && days < 31, '30 days');
  const { body } = await admin.call<DeviceView>('GET', `/devices/${device.id}`);
  t.match(body, { name: 'kitchen-camera', profile: 'x64-avx2', serving: null });
  t.ok(body.matched.includes('arch x64'), 'and says by which facts');
});

t.test('the token carries the fingerprint of the authority that the controller shows', async (t) => {
  const { token, command } = await newToken(admin);
  const { fingerprint256 } = new X509Certificate(info.caPem);
  t.equal(token.split('.')[1], Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'));
  t.equal(command, `espalier-agent enrol ${controller.url} --token ${token}`);
});

t.test('a token works once, also for two who come at the same time', async (t) => {
  const { token, id } = await newToken(admin, 'porch');
  const attempts = await Promise.allSettled(
    [1, 2, 3].map(async (n) => callEnrol(info, token, (await newRequest()).csrPem, facts(`host-${n}`))),
  );
  t.equal(attempts.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const attempt of attempts)
    if (attempt.status === 'rejected') t.match(attempt.reason, { code: grpc.status.PERMISSION_DENIED });
  const { body } = await admin.call<EnrolmentToken[]>('GET', '/enrolment-tokens');
  const used = body.find((one) => one.id === id);
  t.match(used?.usedBy, /^dev-/, 'and names the device that came');
  const { body: device } = await admin.call<DeviceView>('GET', `/devices/${used?.usedBy}`);
  t.equal(device.name, 'porch', "the token's name is the device's");
});

for (const [name, change] of [
  ['a token that was never made', (token: string) => `x${token}`],
  ['a token of another controller', (token: string) => `${token.split('.')[0]}.AAAA`],
  ['no token', () => ''],
] as const) {
  t.test(`${name} is refused with a reason`, async (t) => {
    const { token } = await newToken(admin);
    const { csrPem } = await newRequest();
    await t.rejects(callEnrol(info, change(token), csrPem, facts('x')), {
      code: grpc.status.PERMISSION_DENIED,
      details: /ESP_ENROLMENT_REFUSED/,
    });
  });
}

t.test('a revoked token is refused', async (t) => {
  const { token, id } = await newToken(admin);
  t.equal((await admin.call('DELETE', `/enrolment-tokens/${id}`)).status, 204);
  await t.rejects(callEnrol(info, token, (await newRequest()).csrPem, facts('x')), {
    code: grpc.status.PERMISSION_DENIED,
    details: /ESP_ENROLMENT_REFUSED/,
  });
});

t.test('a request that is none does not use the token up', async (t) => {
  const { token } = await newToken(admin);
  await t.rejects(callEnrol(info, token, 'not a request', facts('x')), {
    code: grpc.status.INVALID_ARGUMENT,
    details: /ESP_CSR_INVALID/,
  });
  await t.resolves(callEnrol(info, token, (await newRequest()).csrPem, facts('x')));
});

t.test('facts of another contract version do not keep a device out: it comes without a profile', async (t) => {
  const device = await enrolDevice(admin, { version: 7 });
  t.match((await admin.call('GET', `/devices/${device.id}`)).body, { profile: null, facts: null });
});

t.test('only enrolment answers without a client certificate', async (t) => {
  const client = new DevicesClient(info.enrolUrl, grpc.credentials.createSsl(Buffer.from(info.caPem)));
  t.teardown(() => client.close());
  await t.rejects(
    unary((done) => client.getDesiredState({ knownRevision: 0n }, done)),
    {
      code: grpc.status.PERMISSION_DENIED,
      details: /ESP_DEVICE_UNKNOWN/,
    },
  );
});

t.test('without a certificate of our authority the other port does not even speak', async (t) => {
  const stranger = await (await makeAuthority(scratchFolder(t))).issue('dev-aaaaaaaa');
  for (const credentials of [
    grpc.credentials.createSsl(Buffer.from(info.caPem)),
    mutualTls({ ca: info.caPem, ...stranger }),
  ]) {
    const client = new DevicesClient(info.grpcUrl, credentials);
    await t.rejects(
      unary((done) =>
        client.getDesiredState({ knownRevision: 0n }, new grpc.Metadata(), { deadline: Date.now() + 4000 }, done),
      ),
      { code: grpc.status.UNAVAILABLE },
    );
    client.close();
  }
});

t.test('a certificate is renewed for a new key, and both work until the old one ends', async (t) => {
  const device = await enrolDevice(admin);
  const client = devicesClient(device);
  t.teardown(() => client.close());
  const { csrPem, keyPem } = await newRequest();
  const renewed = await unary<{ certificatePem: string }>((done) => client.renewCertificate({ csrPem }, done));
  const later = { ...device, cert: renewed.certificatePem, key: keyPem };
  t.equal(new X509Certificate(later.cert).subject, `CN=${device.id}`);
  const second = devicesClient(later);
  t.teardown(() => second.close());
  await t.resolves(unary((done) => second.getDesiredState({ knownRevision: 0n }, done)));
});

t.test("a removed device's certificate opens nothing any more, and the audit log has both", async (t) => {
  const device = await enrolDevice(admin);
  t.equal((await admin.call('DELETE', `/devices/${device.id}`)).status, 204);
  const client = devicesClient(device);
  t.teardown(() => client.close());
  await t.rejects(
    unary((done) => client.getDesiredState({ knownRevision: 0n }, done)),
    {
      code: grpc.status.PERMISSION_DENIED,
    },
  );
  await t.rejects(fetchBlob(device, '0'.repeat(64)), { code: grpc.status.PERMISSION_DENIED });
  t.equal((await admin.call('GET', `/devices/${device.id}`)).status, 404);
  const { body } = await admin.call<Page<AuditEntry>>('GET', `/audit?q=${device.id}`);
  t.match(body.items[0], { action: 'device removed', subject: device.id, who: 'admin' });
});
