/** A controller starts, is watched and ends as its parts promise: nothing left open, nothing half done. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LiveEvent, SystemView } from '@espalier/proto/api';
import t from 'tap';
import { openController, scratchFolder, signInAsAdmin } from '../support/controller.ts';
import { enrolDevice, poll } from '../support/device.ts';

const dataDir = scratchFolder(t);
const controller = await openController(dataDir);
t.teardown(() => controller.close());
const admin = await signInAsAdmin(controller);

/** The events of a live stream as they come; `stop` hangs up. */
async function watch(lastEventId?: string): Promise<{ seen: { id: string; event: LiveEvent }[]; stop: () => void }> {
  const hangUp = new AbortController();
  const response = await admin.open('/events', {
    signal: hangUp.signal,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  });
  const seen: { id: string; event: LiveEvent }[] = [];
  void (async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (const block of text.split('\n\n').slice(0, -1)) {
        const [, id] = /^id: (.*)$/m.exec(block) ?? [];
        const [, data] = /^data: (.*)$/m.exec(block) ?? [];
        if (data) seen.push({ id: id ?? '', event: JSON.parse(data) });
      }
      text = text.slice(text.lastIndexOf('\n\n') + 2);
    }
  })().catch(() => undefined);
  return { seen, stop: () => hangUp.abort() };
}

t.test('who watches hears of a device that comes, and who was away hears it afterwards', async (t) => {
  const first = await watch();
  const { id } = await enrolDevice(admin);
  const heard = await poll(() => first.seen.find(({ event }) => event.id === id) ?? null, 'the event');
  t.equal(heard.event.kind, 'device');
  first.stop();
  const { id: missed } = await enrolDevice(admin);
  const second = await watch(heard.id);
  await poll(() => second.seen.find(({ event }) => event.id === missed) ?? null, 'the missed event');
  second.stop();
  const ancient = await watch('999999');
  t.match(await poll(() => ancient.seen[0] ?? null, 'an answer'), { event: { kind: 'system', id: 'all' } });
  ancient.stop();
});

t.test('health and metrics answer without a sign-in, the rest does not', async (t) => {
  const get = (route: string): Promise<Response> => fetch(new URL(route, controller.url));
  const health = await get('/health');
  t.equal(health.status, 200);
  t.match(await health.json(), { ok: true, database: true, broker: true });
  t.match(await (await get('/metrics')).text(), /^espalier_devices\{status="offline"\} \d/m);
  t.equal((await get('/api/v1/system')).status, 401);
  const { body } = await admin.call<SystemView>('GET', '/system');
  t.match(body, { database: { kind: 'embedded', ok: true }, broker: { kind: 'embedded', ok: true } });
});

t.test('the private keys are for the user of the controller only', async (t) => {
  for (const file of ['ca.key', 'server.key', 'artifact-signing.key'])
    t.equal(statSync(path.join(dataDir, 'keys', file)).mode & 0o777, 0o600, file);
  t.equal(statSync(dataDir).mode & 0o077, 0, 'the data directory too');
});

t.test('it ends though somebody watches, frees its lock, and is there again with its state', async (t) => {
  const folder = scratchFolder(t);
  const first = await openController(folder);
  const owner = await signInAsAdmin(first);
  const { id } = await enrolDevice(owner);
  const watching = await owner.open('/events');
  const started = Date.now();
  await first.close();
  t.ok(Date.now() - started < 5000, `it took ${Date.now() - started} ms`);
  await watching.body?.cancel().catch(() => undefined);
  t.throws(() => readFileSync(path.join(folder, 'controller.lock')), { code: 'ENOENT' });
  const second = await openController(folder);
  t.teardown(() => second.close());
  t.equal((await (await signInAsAdmin(second)).call('GET', `/devices/${id}`)).status, 200);
});
