/** The batching rule under a virtual clock: its promises over random loads, and its figures against simpler policies. */
import { admit } from '@espalier/agent/runtime/batching/admission';
import { LatencyCurve, ladder, optimalBatch } from '@espalier/agent/runtime/batching/latency-curve';
import { nextDispatch } from '@espalier/agent/runtime/batching/next-dispatch';
import { type Priority, type Queued, RequestQueue } from '@espalier/agent/runtime/batching/request-queue';
import t from 'tap';
import { CNN, curveOf, MLP, policies, seeded, simulate } from './support/batching-simulation.ts';

const seed = Number(process.env.SEED ?? 1);
t.comment(`SEED=${seed}`);
const request = (change: Partial<Queued> = {}): Queued => ({
  ...{ rows: 1, deadlineMs: Number.POSITIVE_INFINITY, priority: 'normal', arrivedMs: 0, bytes: 100 },
  ...change,
});

t.test('the ladder ends at the largest batch that is allowed', async (t) => {
  t.strictSame(ladder(1), [1]);
  t.strictSame(ladder(6), [1, 2, 4, 6]);
  t.strictSame(ladder(16), [1, 2, 4, 8, 16]);
  t.strictSame(ladder(40), [1, 2, 4, 8, 16, 40]);
});

t.test('a slowdown of all rungs is drift, of one rung a change of shape', async (t) => {
  const slowed = new LatencyCurve(
    new Map([
      [1, 10],
      [4, 40],
    ]),
  ); // prettier-ignore
  for (let run = 0; run < 60; run++) slowed.record(run % 2 ? 1 : 4, run % 2 ? 20 : 80);
  t.ok(Math.abs(slowed.drift - 2) < 0.1, `drift ${slowed.drift}`);
  t.ok(Math.abs(slowed.latencyMs(4) / slowed.latencyMs(1) - 4) < 0.2);
  t.ok(Math.abs(slowed.latencyMs(2) - 40) < 3, 'a rung between is interpolated and drifts along');
  const bent = new LatencyCurve(
    new Map([
      [1, 10],
      [4, 40],
    ]),
  ); // prettier-ignore
  for (let run = 0; run < 400; run++) bent.record(run % 2 ? 1 : 4, run % 2 ? 10 : 20);
  t.ok(Math.abs(bent.latencyMs(4) / bent.latencyMs(1) - 2) < 0.25, `ratio ${bent.latencyMs(4) / bent.latencyMs(1)}`);
});

t.test('runs that are interrupted now and then do not count as the pace of the device', async (t) => {
  const random = seeded(seed);
  const curve = curveOf(CNN);
  for (let run = 0; run < 2000; run++) curve.record(1, random() < 0.15 ? 100 : 10);
  t.ok(curve.drift < 1.8, `drift ${curve.drift}`);
});

t.test('noise does not walk the curve away, whichever rung is used', async (t) => {
  const random = seeded(seed);
  const curve = curveOf(MLP);
  for (let run = 0; run < 20_000; run++) curve.record(8, MLP[8]! * (0.9 + 0.2 * random()));
  t.ok(curve.drift > 0.98 && curve.drift < 1.08, `drift ${curve.drift}`);
  t.ok(Math.abs(curve.latencyMs(1) / MLP[1]! / curve.drift - 1) < 0.05, 'an unused rung keeps its place');
});

t.test('the optimal batch is the smallest near the best, and leaves half of the limit', async (t) => {
  t.equal(optimalBatch(curveOf(CNN), 40), 1, 'batching that gains nothing is not done');
  t.equal(optimalBatch(curveOf(MLP), 1000), 16);
  t.equal(optimalBatch(curveOf(MLP), 4 * MLP[1]!), 8, 'L(8) is within half of the limit, L(16) is not');
});

t.test('a dispatch never takes what is lost, never too many rows, never a request twice', async (t) => {
  const random = seeded(seed);
  for (let round = 0; round < 3000; round++) {
    const curve = curveOf(round % 2 ? CNN : MLP);
    const nowMs = 1000 * random();
    const waiting = Array.from({ length: Math.floor(40 * random()) }, () =>
      request({
        rows: random() < 0.9 ? 1 : 3,
        deadlineMs: random() < 0.1 ? Number.POSITIVE_INFINITY : nowMs + 60 * random(),
      }),
    ).sort((a, b) => a.deadlineMs - b.deadlineMs);
    const limits = {
      rungs: curve.sizes,
      optimal: optimalBatch(curve, 40),
      arrivalRate: random(),
      idle: random() < 0.5,
    };
    const { drop, take, waitUntilMs } = nextDispatch(waiting, curve, nowMs, limits);
    t.notOk(drop.some((one) => take.includes(one)) || new Set(take).size !== take.length, { diagnostic: false });
    if (waiting.some(({ deadlineMs }) => deadlineMs > nowMs) && take.length === 0 && waitUntilMs === null)
      t.fail('a free worker refuses everything');
    if (drop.some(({ deadlineMs }) => nowMs + 1.05 * curve.latencyMs(1) <= deadlineMs)) t.fail('dropped in vain');
    if (take.reduce((sum, { rows }) => sum + rows, 0) > 16) t.fail('more rows than the ladder has');
    if (waiting.length > drop.length && take.length === 0 && waitUntilMs === null) t.fail('idle with work to do');
    if (waitUntilMs !== null && (waitUntilMs < nowMs + 2 || take.length > 0)) t.fail('a wait that cannot be kept');
  }
});

t.test('classes share by weight, deadlines order a class, and age comes before both', async (t) => {
  const queue = new RequestQueue({ count: 100, bytes: 1e6, ageingMs: 1000 });
  for (let at = 0; at < 30; at++) {
    for (const priority of ['low', 'normal', 'high'] as Priority[])
      queue.push(request({ priority, deadlineMs: 100 - at }));
  }
  const served = { high: 0, normal: 0, low: 0 };
  for (let at = 0; at < 26; at++) {
    const [next] = queue.lead(1, 10);
    queue.remove([next!], true);
    served[next!.priority]++;
  }
  t.strictSame(served, { high: 16, normal: 8, low: 2 });
  t.equal(queue.lead(1, 10)[0]?.deadlineMs, 100 - 29 + 16, 'the earliest deadline of its class');
  const old = request({ priority: 'low', deadlineMs: 5000, arrivedMs: -2000 });
  queue.push(old);
  t.equal(queue.lead(3, 10)[0], old);
});

t.test('a queue is bounded in count and in bytes', async (t) => {
  const queue = new RequestQueue({ count: 3, bytes: 250, ageingMs: 1000 });
  t.ok(queue.push(request()) && queue.push(request()));
  t.notOk(queue.push(request()), 'the bytes are full');
  t.ok(queue.push(request({ bytes: 0 })));
  t.notOk(queue.push(request({ bytes: 0 })), 'the count is full');
  t.ok(new RequestQueue({ count: 3, bytes: 1, ageingMs: 1 }).push(request()), 'one request alone may always wait');
  t.strictSame([queue.clear().length, queue.length, queue.bytes], [3, 0, 0]);
});

t.test('admission refuses what the backlog makes late, and says for how long', async (t) => {
  const curve = curveOf(CNN);
  const load = { backlogRows: 4, workers: 1, optimal: 1 };
  t.strictSame(admit({ rows: 1, deadlineMs: 60 }, curve, load, 0), { ok: true });
  t.strictSame(admit({ rows: 1, deadlineMs: 40 }, curve, load, 0), { ok: false, retryAfterMs: 10 });
  t.ok(admit({ rows: 1, deadlineMs: 40 }, curve, { ...load, workers: 2 }, 0).ok);
});

t.test('in simulation the rule answers more in time than greedy and fixed-delay batching', async (t) => {
  for (const [name, load, atLeast] of [
    ['CNN at 0.9 of its limit', { latency: CNN, share: 0.9 }, 86],
    ['CNN at 1.33', { latency: CNN, share: 1.33 }, 68],
    ['CNN throttled 1.7x', { latency: CNN, share: 0.5, throttle: 1.7 }, 77],
    ['MLP at 0.87', { latency: MLP, share: 0.87 }, 93],
    ['MLP at 1.27', { latency: MLP, share: 1.27 }, 73],
    ['MLP in bursts', { latency: MLP, share: 0.8, bursty: true }, 60],
  ] as const) {
    const goodput = Object.fromEntries(
      Object.entries(policies).map(([policy, decide]) => [policy, simulate(decide, { ...load, seed })]),
    );
    t.comment(`${name}: ${JSON.stringify(goodput)}`);
    t.ok(goodput.rule! >= atLeast, `${name}: ${goodput.rule}% in time, at least ${atLeast}`);
    t.ok(goodput.rule! >= Math.max(goodput.greedy!, goodput.fixed!) - 2, `${name}: not behind a simpler policy`);
  }
});
