/** Which window speaks for a device, and how many devices become one line. */
import { type LatencyWindow, summarizeDevices, summarizeFleet } from '@espalier/server/devices/summarize';
import t from 'tap';

const window = (minute: number, p95Us: number | null, change: Partial<LatencyWindow> = {}): LatencyWindow => ({
  ...{ deviceId: 'dev-a', profile: 'x64-avx2', digest: 'a', endedAt: new Date(Date.UTC(2026, 0, 1, 0, minute)) },
  ...{ n: 100, p50Us: 100, p95Us, p99Us: null, class: 'clean' },
  ...change,
});

for (const [name, windows, p95Us] of [
  ['the newest', [window(1, 200), window(2, 300)], 300],
  ['a clean one before a newer disturbed one', [window(1, 200), window(2, 900, { class: 'contended' })], 200],
  ['the best class there is', [window(1, 700, { class: 'unstable' }), window(2, 900, { class: 'throttled' })], 900],
  ['one with enough samples for a p95', [window(1, 200, { class: 'contended' }), window(2, null)], 200],
  ['one without a p95 when there is no other', [window(1, null)], null],
] as const) {
  t.test(`of a device's windows it takes ${name}`, async (t) => {
    const [figure, ...rest] = summarizeDevices(windows);
    t.equal(figure?.p95Us, p95Us);
    t.strictSame(rest, []);
  });
}

t.test('devices and artifacts are kept apart', async (t) => {
  const figures = summarizeDevices([window(1, 1), window(1, 2, { digest: 'b' }), window(1, 3, { deviceId: 'dev-b' })]);
  t.strictSame(figures.map(({ p95Us }) => p95Us).sort(), [1, 2, 3]);
});

t.test('a fleet is as slow as its slowest device, as sure as its least sure, as fresh as its oldest', async (t) => {
  const fleet = summarizeFleet(
    summarizeDevices([
      window(1, 200, { p50Us: 110 }),
      window(5, 400, { deviceId: 'dev-b', class: 'throttled', p50Us: 300 }),
      window(9, 300, { deviceId: 'dev-c', p50Us: 120 }),
    ]),
  );
  t.match(fleet, {
    p50Us: 120,
    p95Us: 400,
    n: 300,
    devices: 3,
    class: 'throttled',
    measuredAt: '2026-01-01T00:01:00.000Z',
  });
  t.equal(summarizeFleet([]), null);
});

t.test('one device without a p95 leaves the fleet without one: a budget must hold on each', async (t) => {
  t.equal(summarizeFleet(summarizeDevices([window(1, 200), window(1, null, { deviceId: 'dev-b' })]))?.p95Us, null);
});
