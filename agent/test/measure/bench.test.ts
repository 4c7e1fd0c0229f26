/** `espalier-agent bench`: MLPerf's scenarios, with arrivals that wait for nobody. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openLoop } from '@espalier/agent/measure/bench/open-loop';
import t from 'tap';
import { root, start } from '../../../test/support/process.ts';
import { seeded } from '../runtime/support/batching-simulation.ts';

t.test('a stall shows in every request that it delayed', async (t) => {
  const now = (): number => performance.now();
  let freeAtMs = now() + 300;
  const stalled = async (): Promise<void> => {
    freeAtMs = Math.max(freeAtMs, now()) + 0.2;
    await new Promise((resolve) => setTimeout(resolve, freeAtMs - now()));
  };
  const { window, sent, late, refused } = await openLoop(
    stalled,
    { ratePerS: 300, forMs: 600, now, random: seeded(1) },
    50,
  );
  t.equal(window.n, sent);
  t.ok(sent > 120 && refused === 0, `${sent} sent`);
  t.ok(late > 0.3 * sent, `${late} of ${sent} were late: those that came while it stood still`);
});

t.test('four scenarios, each with its rate, percentiles, n and class; the cold start apart', async (t) => {
  const plans = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-test-'));
  t.teardown(() => rmSync(plans, { recursive: true, force: true }));
  const model = path.join(root, 'deploy/sample/fashion-ds.onnx');
  const args = ['bench', model, '--json', '--seconds', '0.6', '--tune-limit-s', '1', '--plans', plans];
  const agent = start('agent/dist/main.js', args);
  t.equal(await agent.exited, 0, agent.output());
  const [head, ...results] = agent
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.ok(head.loadMs > 0 && head.firstUs > 0 && head.plan.workers >= 1);
  t.strictSame(
    results.map(({ scenario }) => scenario),
    ['single-stream', 'multi-stream', 'offline', 'server'],
  );
  for (const { scenario, ratePerS, p50Us, n, class: kind, histogram } of results) {
    t.ok(['clean', 'contended', 'throttled', 'unstable'].includes(kind), `${scenario} is ${kind}`);
    t.ok(n === 0 || (ratePerS > 0 && p50Us > 0 && histogram.length > 0), scenario);
  }
  const wrong = start('agent/dist/main.js', ['bench', model, '--scenarios', 'fast']);
  t.equal(await wrong.exited, 1);
  t.match(wrong.output(), /ESP_BENCH_REFUSED.*no scenario fast/);
});
