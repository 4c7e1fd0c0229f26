/** Times of several devices as one table: the worst decile plans, and what cannot be is left out and said. */
import { type DeviceTimes, decile, mergeReports } from '@espalier/server/timing/merge-reports';
import t from 'tap';

const WHOLE = 'a'.repeat(64);
const HALF = 'b'.repeat(64);
const network = (sha256: string, share: number) => ({
  ...{ sha256, share, bytes: 1 },
  works: { conv: { op: 'Conv', work: 1e6 * share }, relu: { op: 'Relu', work: 1000 * share } },
});
const networks = [network(WHOLE, 1), network(HALF, 0.5)];
const key = { adapter: 'onnxruntime', version: '1.30.0', optionsDigest: 'o', powerMode: 'performance', soc: 'cpu' };

/** A device on which the convolution takes so many microseconds; the other half of the latency is fixed. */
const device = (deviceId: string, us: number, change: Partial<typeof key> = {}): DeviceTimes => ({
  deviceId,
  networks: networks.map(({ sha256, share }) => ({
    ...{ sha256, n: 200, class: 'clean' as const, p50Us: us * share + us },
    nodes: { conv: us * share + us / 2, relu: us / 2 },
  })),
  runtime: { ...key, ...change },
});

t.test('devices that agree: the slowest of a few plans, with their spread', async (t) => {
  const merged = mergeReports(networks, [device('a', 100), device('b', 110), device('c', 105)])!;
  t.equal(merged.anchorUs, 220);
  t.strictSame(merged.leftOut, []);
  t.match(merged.rows[0], {
    node: 'conv',
    origin: 'measured',
    points: [
      { work: 1e6, us: 165 },
      { work: 5e5, us: 110 },
    ],
  });
  t.ok(Math.abs(merged.rows[0]!.spread! - 1.1) < 1e-9);
  t.equal(decile(Array.from({ length: 20 }, (_, at) => at + 1)), 18);
});

t.test('a device that lies is left out, and it is said why', async (t) => {
  const slow = mergeReports(networks, [device('a', 100), device('b', 101), device('liar', 900)])!;
  t.match(slow, { devices: ['a', 'b'], anchorUs: 202, leftOut: [{ deviceId: 'liar', reason: /times the median/ }] });
  const fast = mergeReports(networks, [device('a', 100), device('liar', 0.05)])!;
  t.match(fast, { devices: ['a'], leftOut: [{ deviceId: 'liar', reason: /less than its work can take/ }] });
  const odd = device('liar', 100);
  const nodes = { conv: 9000, relu: 1 };
  const invented = { ...odd, networks: odd.networks.map((one) => ({ ...one, nodes })) };
  t.match(mergeReports(networks, [device('a', 100), invented]), { leftOut: [{ reason: /add up to 45 times/ }] });
  const partial = { ...odd, networks: odd.networks.slice(0, 1) };
  t.match(mergeReports(networks, [device('a', 100), partial]), { leftOut: [{ reason: /did not time every network/ }] });
  t.equal(mergeReports(networks, [partial]), null, 'of nothing there is no table');
});

t.test('a table of another power mode, runtime or processor is not mixed in', async (t) => {
  const others = [device('c', 60, { powerMode: 'powersave' }), device('d', 60, { version: '1.29.0', soc: 'other' })];
  const merged = mergeReports(networks, [device('a', 100), device('b', 101), ...others])!;
  t.strictSame(merged.devices, ['a', 'b']);
  t.match(merged.leftOut, [
    { deviceId: 'c', reason: 'power mode powersave instead of performance' },
    { deviceId: 'd', reason: 'processor other instead of cpu, runtime version 1.29.0 instead of 1.30.0' },
  ]);
});
