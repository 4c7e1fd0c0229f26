import { chooseWindows } from '@espalier/agent/measure/choose-windows';
import { type Conditions, classify } from '@espalier/agent/measure/conditions';
import { LatencyWindow } from '@espalier/agent/measure/latency-window';
import t from 'tap';

const window = (us: number): number[] => Array.from({ length: 100 }, (_, index) => us + index / 100);

t.test('the three neighbours that agree best count, with every sample in them', async (t) => {
  const { samplesUs, steady } = chooseWindows([
    window(100),
    window(300),
    window(200),
    window(201),
    window(202),
    window(400),
  ]);
  t.equal(samplesUs.length, 300);
  t.ok(Math.min(...samplesUs) >= 200 && Math.max(...samplesUs) < 204);
  t.strictSame(steady, { p50: true, p95: true });
  t.strictSame(chooseWindows([window(100), window(200), window(400)]).steady, { p50: false, p95: false });
});

t.test('percentiles are withheld where there are too few samples', async (t) => {
  const histogram = new LatencyWindow();
  for (let sample = 1; sample <= 89; sample++) histogram.record(sample * 10);
  t.match(histogram.summary(), { n: 89, p95Us: null, p99Us: null });
  for (let sample = 90; sample <= 459; sample++) histogram.record(sample * 10);
  const { n, p50Us, p95Us, p99Us } = histogram.summary();
  t.equal(n, 459);
  t.ok(Math.abs(p50Us - 2300) < 20 && Math.abs(p95Us! - 4360) < 20 && Math.abs(p99Us! - 4550) < 20);
});

t.test('a window is classed by what went on around it', async (t) => {
  const quiet: Conditions = { atMs: 0, busyS: 10, stealS: 0, ownS: 5, pressureUs: 0, throttles: 0, temperatureC: 40 };
  const after = (change: Partial<Conditions>): Conditions => ({ ...quiet, atMs: 1000, busyS: 11, ownS: 6, ...change });
  const steady = { p50: true, p95: true };
  t.equal(classify(quiet, after({}), steady), 'clean');
  t.equal(classify(quiet, after({ busyS: 11.5 }), steady), 'contended', 'others used half a CPU');
  t.equal(classify(quiet, after({ stealS: 0.2 }), steady), 'contended', 'the host took CPU time');
  t.equal(classify(quiet, after({}), { p50: true, p95: false }), 'contended', 'its p95 moved');
  t.equal(classify(quiet, after({}), { p50: false, p95: false }), 'unstable');
  t.equal(classify(quiet, after({ throttles: 1 }), steady), 'throttled');
});
