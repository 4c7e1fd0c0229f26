/** Networks that a controller wants timed: in idle time, in windows that count, and only on its signed word. */
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { nextTiming, type TimingFacts } from '@espalier/agent/measure/timing/next-timing';
import { NetworkTimer, type TimerParts } from '@espalier/agent/measure/timing/timer';
import {
  keyId,
  SessionOptions,
  sha256Hex,
  signatureOf,
  type TimingMessage,
  type TimingOrder,
  type TimingRequest,
} from '@espalier/proto';
import t from 'tap';
import { noise, writeTinyModel } from '../../../test/support/tiny-model.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-timing-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const model = writeTinyModel(path.join(scratch, 'net.onnx'), {
  inputs: { x: ['N', 8, 32, 32] },
  outputs: ['y'],
  constants: { a: noise([16, 8, 3, 3], 1), b: noise([4, 16, 1, 1], 2) },
  nodes: [
    ['Conv', ['x', 'a'], ['h']],
    ['Conv', ['h', 'b'], ['y']],
  ],
});
const sha256 = sha256Hex(readFileSync(model));
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

const request = (change: Partial<TimingRequest> = {}): TimingRequest => ({
  ...{ id: `request-${Math.random()}`, deviceId: 'dev-1', runs: 60, limitS: 20 },
  networks: [{ sha256, bytes: statSync(model).size, profiled: true }],
  sessionOptions: SessionOptions.parse({}),
  // A shared machine is never alone: here it is asked what is measured, not how quiet it was.
  classes: ['clean', 'contended', 'unstable', 'throttled'],
  expiresAt: '2999-01-01T00:00:00Z',
  ...change,
});
const signed = (wanted: TimingRequest): TimingOrder => ({
  request: wanted,
  signature: signatureOf(wanted, privateKey, keyId(pem)),
});

function openTimer(change: Partial<TimerParts> = {}): { timer: NetworkTimer; reports: TimingMessage[] } {
  const reports: TimingMessage[] = [];
  const quiet = { debug: () => undefined } as unknown as TimerParts['log'];
  const timer = new NetworkTimer({
    ...{ folder: path.join(scratch, 'timing'), log: quiet, now: Date.now, deviceId: () => 'dev-1', soc: 'test' },
    ...{ artifactKeys: () => ({ [keyId(pem)]: pem }), updating: () => false, powerMode: () => 'performance' },
    load: () => ({ requests: 0, lastMs: 0 }),
    download: async (_sha256, _bytes, file) => copyFileSync(model, file),
    report: (message) => void reports.push(message),
    ...change,
  });
  return { timer, reports };
}
const { signal } = new AbortController();

t.test('what is done next, as a table', async (t) => {
  const facts: TimingFacts = { updating: false, lastRequestMs: 0, done: new Map(), tries: 0, spentMs: 0 };
  const done = new Map([[sha256, {} as never]]);
  for (const [change, kind, text] of [
    [{}, 'time', sha256],
    [{ updating: true }, 'wait', 'an update'],
    [{ lastRequestMs: 9_999 }, 'wait', 'answers requests'],
    [{ done }, 'finish', null],
    [{ spentMs: 20_000 }, 'finish', '20 s of this device are spent'],
    [{ tries: 24 }, 'finish', 'none of clean'],
  ] as [Partial<TimingFacts>, string, string | null][]) {
    const step = nextTiming(request({ classes: ['clean'] }), { ...facts, ...change }, 10_000);
    t.equal(step.kind, kind);
    t.match(JSON.stringify(step), text ?? 'null');
  }
  t.match(nextTiming(request({ expiresAt: '1970-01-01T00:00:01Z' }), facts, 10_000), { problem: 'it expired' });
});

t.test('a network is timed as a whole and by operator, and reported once', async (t) => {
  const { timer, reports } = openTimer();
  const order = signed(request());
  timer.want(order);
  await timer.work(signal);
  timer.want(order);
  await timer.work(signal);
  t.equal(reports.length, 1);
  t.match(reports[0], { requestId: order.request.id, error: null, runtime: { powerMode: 'performance' } });
  const [times] = reports[0]!.networks;
  t.ok(times!.p50Us > 0 && times!.n >= 20);
  const parts = Object.values(times!.nodes);
  t.ok(parts.length >= 2 && parts.every((us) => us >= 0), JSON.stringify(times!.nodes));
  t.notOk(existsSync(path.join(scratch, 'timing')), 'nothing is left on the disk');
});

t.test('the first request ends it, and the network is timed again later', async (t) => {
  const cameMs = performance.now() + 150;
  const { timer, reports } = openTimer({ load: () => ({ requests: Number(performance.now() > cameMs), lastMs: 0 }) });
  timer.want(signed(request({ runs: 400 })));
  const started = performance.now();
  await timer.work(signal);
  t.equal(reports.length, 0);
  t.ok(performance.now() - started < 2000, 'at once');
  await timer.work(signal);
  t.equal(reports.length, 1, 'the work goes on when it is quiet');
});

t.test('only what the controller signed for this device is run', async (t) => {
  const { timer } = openTimer();
  const order = signed(request());
  t.throws(() => timer.want({ ...order, request: { ...order.request, runs: 30 } }), { code: 'ESP_SIGNATURE_INVALID' });
  t.throws(() => timer.want(signed(request({ deviceId: 'dev-2' }))), { code: 'ESP_SIGNATURE_INVALID' });
});

t.test('what was not what it should be, and a power mode that changed, are said', async (t) => {
  const other = openTimer({ download: async (_sha256, _bytes, file) => writeFileSync(file, 'no model') });
  other.timer.want(signed(request()));
  await other.timer.work(signal);
  t.match(other.reports, [{ networks: [], error: { message: /ESP_DIGEST_MISMATCH|digest|SHA-256/i } }]);
  const modes = ['powersave', 'performance'];
  const moved = openTimer({ powerMode: () => modes.shift() ?? 'performance' });
  moved.timer.want(signed(request()));
  await moved.timer.work(signal);
  t.match(moved.reports, [{ error: { message: /the power mode changed/ } }]);
});
