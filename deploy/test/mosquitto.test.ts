/** deploy/mosquitto on a real Mosquitto: who gets in, and which topics they reach. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import t from 'tap';
import { topics } from '../../proto/dist/index.js';
import { type Authority, makeAuthority } from '../../test/support/authority.ts';
import { startMosquitto } from '../../test/support/mosquitto.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-broker-test-'));
const authority = await makeAuthority(path.join(scratch, 'keys'));
const server = await startMosquitto(scratch);
t.teardown(async () => {
  if ('stop' in server) await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});
if ('skipped' in server) t.comment(`skipped: ${server.skipped}`);
else brokerTests(server.url);

function brokerTests(url: string): void {
  const options: IClientOptions = { protocolVersion: 4, reconnectPeriod: 0, connectTimeout: 5000, clean: true };

  async function as(name: string, issuer: Authority = authority, extra: IClientOptions = {}): Promise<MqttClient> {
    const identity = await issuer.issue(name);
    const client = await mqtt.connectAsync(url, {
      ...options,
      ...identity,
      ca: authority.caPem,
      clientId: name,
      ...extra,
    });
    t.teardown(() => client.endAsync(true));
    return client;
  }

  /** Everything the client has received, as `topic payload`. */
  function inbox(client: MqttClient): string[] {
    const received: string[] = [];
    client.on('message', (topic, payload) => received.push(`${topic} ${payload.toString()}`));
    return received;
  }

  /** Messages to one client keep their order, so once its own marker is back, whatever came before it is there too. */
  async function settle(controller: MqttClient, received: string[], device: string): Promise<void> {
    const marker = `marker-${received.length}-${Math.random()}`;
    await controller.publishAsync(topics.ack(device), marker, { qos: 1 });
    const deadline = Date.now() + 5000;
    while (!received.some((line) => line.endsWith(marker)) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  t.test('a device reports on its own branch, and reaches no other', async (t) => {
    const controller = await as('espalier-controller');
    const heard = inbox(controller);
    await controller.subscribeAsync([topics.upAll(), 'esp/1/+/down/#'], { qos: 1 });
    const device = await as('dev-a');
    for (const topic of [topics.up('dev-b', 'status'), topics.desired('dev-a'), topics.desired('dev-b'), 'other']) {
      await device.publishAsync(topic, 'forbidden', { qos: 1 });
    }
    await device.publishAsync(topics.up('dev-a', 'status'), 'mine', { qos: 1 });
    await settle(controller, heard, 'dev-a');
    t.strictSame(heard.slice(0, -1), [`${topics.up('dev-a', 'status')} mine`]);
  });

  t.test('a device hears its own desired state, retained, and no one else’s', async (t) => {
    const controller = await as('espalier-controller');
    await controller.publishAsync(topics.desired('dev-a'), 'for-a', { qos: 1, retain: true });
    await controller.publishAsync(topics.desired('dev-b'), 'for-b', { qos: 1, retain: true });
    const device = await as('dev-a');
    const heard = inbox(device);
    await device.subscribeAsync([topics.downAll('dev-a'), topics.downAll('dev-b'), 'esp/1/#', '#'], { qos: 1 });
    await settle(controller, heard, 'dev-a');
    t.ok(heard.includes(`${topics.desired('dev-a')} for-a`));
    t.notOk(heard.some((line) => line.includes('for-b')));
  });

  t.test('a client id is worth nothing: the session belongs to the certificate', async (t) => {
    const device = await as('dev-a');
    await as('dev-b', authority, { clientId: 'dev-a' });
    await device.publishAsync(topics.up('dev-a', 'status'), 'still here', { qos: 1 });
    t.ok(device.connected, 'a stranger with the same client id did not push it out');
  });

  t.test('without a certificate of this authority nobody gets in', async (t) => {
    await t.rejects(mqtt.connectAsync(url, { ...options, ca: authority.caPem, clientId: 'dev-a' }), 'no certificate');
    const stranger = await makeAuthority(path.join(scratch, 'stranger'));
    await t.rejects(as('dev-a', stranger), 'a certificate of another authority with the same name');
  });

  t.test('a session of a sleeping subscriber keeps more messages than the default would', async (t) => {
    const controller = await as('espalier-controller', authority, { clean: false });
    await controller.subscribeAsync(topics.upAll(), { qos: 1 });
    await controller.endAsync(true);
    const device = await as('dev-a');
    const messages = 3000;
    const send = (index: number) => device.publishAsync(topics.up('dev-a', 'measurement'), String(index), { qos: 1 });
    await Promise.all(Array.from({ length: messages }, (_, index) => send(index)));
    const identity = await authority.issue('espalier-controller');
    const again = mqtt.connect(url, {
      ...options,
      ...identity,
      ca: authority.caPem,
      clientId: 'espalier-controller',
      clean: false,
    });
    t.teardown(() => again.endAsync(true));
    let arrived = 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 10_000);
      again.on('message', () => {
        if (++arrived < messages) return;
        clearTimeout(timer);
        resolve();
      });
    });
    t.equal(arrived, messages, `${messages} messages while it slept, none dropped`);
  });
}
