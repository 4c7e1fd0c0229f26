/** nextTick as a table: a rollout in a state, and the steps it must take. */

import { countGroup } from '@espalier/server/rollouts/gates';
import { assignGroups, groupSizes, interleaveProfiles } from '@espalier/server/rollouts/group-split';
import { abortDistances, minExecuted, nextTick } from '@espalier/server/rollouts/next-tick';
import type { TickExecution, TickGroup, TickInput, TickLatency } from '@espalier/server/rollouts/rollout.types';
import t from 'tap';

const NOW = 1_000_000_000;
const plan = { name: 'canary', percent: 10, successThreshold: 95, errorThreshold: 20, soakSeconds: 60 };
const limits: TickInput['limits'] = {
  inFlightMax: 3,
  silenceMs: 600_000,
  offlineMs: 3_600_000,
  blockedMs: 30_000,
  unmeasuredMs: 900_000,
  untrustedMs: 120_000,
};

const execution = (id: number, change: Partial<TickExecution> = {}): TickExecution => ({
  id: `e${id}`,
  deviceId: `dev-${id}`,
  profile: 'x64-avx2',
  group: 0,
  state: 'QUEUED',
  online: true,
  removed: false,
  skipped: false,
  dispatchedAtMs: null,
  updatedAtMs: NOW - 1000,
  ...change,
});
const many = (count: number, change: Partial<TickExecution> = {}, from = 0): TickExecution[] =>
  Array.from({ length: count }, (_, index) => execution(from + index, change));
const group = (change: Partial<TickGroup> = {}): TickGroup => ({
  index: 0,
  plan,
  state: 'RUNNING',
  total: 4,
  startedAtMs: NOW - 10_000,
  soakUntilMs: null,
  blockedSinceMs: null,
  ...change,
});
const measured = (ids: readonly TickExecution[], change: Partial<TickLatency> = {}): Map<string, TickLatency> =>
  new Map(ids.map(({ id }) => [id, { p95Us: 100, previousP95Us: null, n: 500, class: 'clean', ...change }]));
const input = (change: Partial<TickInput> = {}): TickInput => ({
  state: 'RUNNING',
  gate: { p95Us: 120, maxRegression: 1.25, minDevices: 1 },
  groups: [group()],
  executions: many(4),
  latencies: new Map(),
  limits,
  ...change,
});
const done = many(4, { state: 'SUCCEEDED' });
const soaked = group({ state: 'SOAKING', soakUntilMs: NOW - 1 });
const kinds = (value: TickInput): string[] =>
  nextTick(value, NOW)
    .map((step) => step.kind)
    .filter((kind) => kind !== 'recordGates');

for (const [name, value, steps] of [
  [
    'freezes the denominator before it dispatches',
    { groups: [group({ startedAtMs: null, total: null })] },
    ['startGroup'],
  ],
  ['passes over a group without devices', { executions: [], groups: [group({ startedAtMs: null })] }, ['finishGroup']],
  ['dispatches what is online', {}, ['dispatch']],
  ['keeps offline devices queued', { executions: many(4, { online: false }) }, []],
  [
    'skips an offline device at the deadline',
    { executions: many(4, { online: false }), groups: [group({ startedAtMs: NOW - 4_000_000 })] },
    ['skipOffline'],
  ],
  [
    'times out a silent device',
    { executions: many(1, { state: 'IN_PROGRESS', updatedAtMs: NOW - 700_000 }) },
    ['timeOut'],
  ],
  ['ends executions of removed devices', { executions: many(1, { removed: true }) }, ['markRemoved']],
  [
    'aborts at 20% failed once three executed',
    {
      groups: [group({ total: 20 })],
      executions: [...many(1, { state: 'FAILED' }), ...many(4, { state: 'SUCCEEDED' }, 1), ...many(15, {}, 5)],
    },
    ['abort'],
  ],
  [
    'aborts at 50% timed out',
    {
      groups: [group({ total: 20 })],
      executions: [...many(2, { state: 'TIMED_OUT' }), ...many(2, { state: 'SUCCEEDED' }, 2), ...many(16, {}, 4)],
    },
    ['abort'],
  ],
  ['abort comes before the error threshold', { executions: many(4, { state: 'FAILED' }) }, ['abort']],
  [
    'pauses over the error threshold when too few executed to abort',
    { groups: [group({ total: 2 })], executions: [...many(1, { state: 'FAILED' }), ...many(1, {}, 1)] },
    ['failGroup', 'pause'],
  ],
  ['starts to soak when enough succeeded', { executions: done }, ['startSoak']],
  [
    'waits for the soak',
    { executions: done, latencies: measured(done), groups: [group({ state: 'SOAKING', soakUntilMs: NOW + 5000 })] },
    [],
  ],
  [
    'finishes the group when soak and gates hold',
    { executions: done, latencies: measured(done), groups: [soaked] },
    ['finishGroup'],
  ],
  ['waits for a measurement after the soak', { executions: done, groups: [soaked] }, []],
  ['pauses when nobody measures', { executions: done, groups: [group({ soakUntilMs: NOW - 1_000_000 })] }, ['pause']],
  [
    'a gate over its threshold is marked first',
    { executions: done, latencies: measured(done, { p95Us: 130 }), groups: [soaked] },
    ['markBlocked'],
  ],
  [
    'a gate that stays bad pauses',
    {
      executions: done,
      latencies: measured(done, { p95Us: 130 }),
      groups: [group({ soakUntilMs: NOW - 1, blockedSinceMs: NOW - 31_000 })],
    },
    ['pause'],
  ],
  [
    'a gate that recovers is unmarked',
    {
      executions: done,
      latencies: measured(done),
      groups: [group({ soakUntilMs: NOW - 1, blockedSinceMs: NOW - 9000 })],
    },
    ['markBlocked'],
  ],
  [
    'a regression against the variant before blocks',
    { executions: done, latencies: measured(done, { p95Us: 110, previousP95Us: 80 }), groups: [soaked] },
    ['markBlocked'],
  ],
  [
    'unstable windows do not feed a gate',
    { executions: done, latencies: measured(done, { class: 'unstable' }), groups: [soaked] },
    [],
  ],
  [
    'after a while they do',
    {
      executions: done,
      latencies: measured(done, { class: 'unstable' }),
      groups: [group({ soakUntilMs: NOW - 121_000 })],
    },
    ['finishGroup'],
  ],
  [
    'complete under the threshold pauses, never advances',
    {
      groups: [group({ plan: { ...plan, errorThreshold: 100 }, total: 2 })],
      executions: [...many(1, { state: 'REJECTED' }), ...many(1, { state: 'SUCCEEDED' }, 1)],
    },
    ['pause'],
  ],
  ['all skipped is no success', { executions: many(4, { state: 'CANCELED', skipped: true }) }, ['pause']],
  [
    'a group whose devices were all removed is passed over',
    { executions: many(4, { state: 'REMOVED' }) },
    ['finishGroup'],
  ],
  [
    'a rollout whose devices were all removed ends stopped',
    { executions: many(4, { state: 'REMOVED' }), groups: [group({ state: 'FINISHED' })] },
    ['endStopped'],
  ],
  ['ends when every group is finished', { executions: done, groups: [group({ state: 'FINISHED' })] }, ['finish']],
  ['a pause stops dispatch', { state: 'PAUSED' }, []],
  [
    'a paused rollout still sees timeouts',
    { state: 'PAUSED', executions: many(1, { state: 'IN_PROGRESS', updatedAtMs: 0 }) },
    ['timeOut'],
  ],
  ['stopping waits for what is in progress', { state: 'STOPPING', executions: many(1, { state: 'IN_PROGRESS' }) }, []],
  ['and ends when it is quiet', { state: 'STOPPING', executions: many(2, { state: 'CANCELED' }) }, ['endStopped']],
  ['rolling back ends when all are back', { state: 'ROLLING_BACK', executions: done }, ['endRolledBack']],
] as [string, Partial<TickInput>, string[]][]) {
  t.test(name, async (t) => {
    t.strictSame(kinds(input(value)), steps);
  });
}

t.test('good figures of one profile do not hide a bad variant of another', async (t) => {
  const arm = many(2, { state: 'SUCCEEDED', profile: 'arm64-dotprod' });
  const x64 = many(2, { state: 'SUCCEEDED' }, 2);
  const latencies = new Map([...measured(arm), ...measured(x64, { p95Us: 500 })]);
  const steps = nextTick(input({ executions: [...arm, ...x64], latencies, groups: [soaked] }), NOW);
  const recorded = steps.find((step) => step.kind === 'recordGates')!;
  t.strictSame(
    recorded.gates.filter((gate) => gate.name === 'p95').map((gate) => [gate.profile, gate.verdict]),
    [
      ['arm64-dotprod', 'ok'],
      ['x64-avx2', 'blocks'],
    ],
  );
});

t.test('dispatch keeps to the in-flight limit', async (t) => {
  const executions = [...many(2, { state: 'IN_PROGRESS' }), ...many(4, {}, 2)];
  const steps = nextTick(input({ executions, groups: [group({ total: 6 })] }), NOW);
  t.match(steps.at(-1), { kind: 'dispatch', executionIds: ['e2'] });
});

t.test('the denominator less what was removed or skipped', async (t) => {
  const executions = [
    ...many(2, { state: 'SUCCEEDED' }),
    ...many(1, { state: 'REMOVED' }, 2),
    ...many(1, { skipped: true }, 3),
  ];
  t.match(countGroup(executions, 4), { total: 2, succeeded: 2, skipped: 2, executed: 2 });
});

t.test('abort criteria need 10% of a group, but 3 to 100 devices', async (t) => {
  t.strictSame([1, 40, 5000].map(minExecuted), [3, 4, 100]);
  t.strictSame(
    abortDistances(countGroup(done, 4)).map((one) => one.valuePercent),
    [0, 0],
  );
});

t.test('groups by percent: at least one device while any is left, and the last takes the rest', async (t) => {
  t.strictSame(groupSizes(10, [5, 25, 100]), [1, 3, 6]);
  t.strictSame(groupSizes(1, [5, 25, 100]), [1, 0, 0]);
  t.strictSame(groupSizes(0, [5, 100]), [0, 0]);
  t.strictSame(groupSizes(1000, [5, 25, 10]), [50, 250, 700]);
  t.strictSame(assignGroups(3, [5, 100]), [0, 1, 1]);
});

t.test('profiles alternate, so that the canary holds each it has room for', async (t) => {
  t.strictSame(
    interleaveProfiles(['a1', 'a2', 'a3', 'b1'], (name) => name[0]!),
    ['a1', 'b1', 'a2', 'a3'],
  );
});
