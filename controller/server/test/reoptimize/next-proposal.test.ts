/** nextProposal as a table: what the loop knows, and what it does. */
import type { LoopInput, LoopVariant } from '@espalier/server/reoptimize/loop.types';
import { nextProposal } from '@espalier/server/reoptimize/next-proposal';
import t from 'tap';

const NOW = 1_000_000_000;
const variant = (change: Partial<LoopVariant> = {}): LoopVariant => ({
  id: 'v-float',
  recipe: 'float',
  method: 'float',
  state: 'ready',
  note: null,
  digest: 'f'.repeat(64),
  accuracyDrop: 0,
  sizeBytes: 660_000,
  proofSpeedup: 1,
  measuredP95Us: 200,
  ...change,
});
const int8 = (change: Partial<LoopVariant> = {}): LoopVariant =>
  variant({
    id: 'v-int8',
    recipe: 'int8',
    method: 'int8',
    digest: '8'.repeat(64),
    accuracyDrop: 0.1,
    sizeBytes: 220_000,
    proofSpeedup: 1.6,
    measuredP95Us: null,
    ...change,
  });
const pruned = (change: Partial<LoopVariant> = {}): LoopVariant =>
  int8({
    ...{ id: 'v-pruned', recipe: 'pruned-int8', method: 'pruned-int8', digest: '9'.repeat(64), accuracyDrop: 0.8 },
    ...{ sizeBytes: 150_000, proofSpeedup: 2.1 },
    ...change,
  });
const latency = { p95Us: 200, n: 500, class: 'clean' as const, measuredAtMs: NOW - 1000 };
const input = (change: Partial<LoopInput> = {}): LoopInput => ({
  autoOptimize: true,
  budget: { maxAccuracyDrop: 1, p95Us: 160, maxSizeBytes: null },
  devices: 1,
  servingDigest: 'f'.repeat(64),
  latency,
  variants: [variant()],
  busy: null,
  decisions: [],
  limits: { samplesMin: 200, hysteresis: 1.02, coolDownMs: 600_000 },
  ...change,
});
const decision = (action: string, variantId: string | null, ageMs = 1000) => ({
  action,
  recipe: 'int8',
  variantId,
  atMs: NOW - ageMs,
});

for (const [name, value, kind, reason] of [
  ['builds the next recipe when the budget is missed', {}, 'build', /200 us misses the budget of 160 us.*int8/],
  ['waits when switched off', { autoOptimize: false }, 'wait', /switched off/],
  [
    'waits without a budget',
    { budget: { maxAccuracyDrop: 1, p95Us: null, maxSizeBytes: null } },
    'wait',
    /no latency budget/,
  ],
  ['waits without devices', { devices: 0 }, 'wait', /no device/],
  ['waits for a measurement', { latency: null }, 'wait', /nothing measured/],
  ['does not act on an unstable window', { latency: { ...latency, class: 'unstable' } }, 'wait', /unstable/],
  ['does not act on a throttled window', { latency: { ...latency, class: 'throttled' } }, 'wait', /throttled/],
  ['acts on a contended window and says so', { latency: { ...latency, class: 'contended' } }, 'build', /contended/],
  ['does not act on few samples', { latency: { ...latency, n: 90 } }, 'wait', /90 samples/],
  ['does nothing when the budget is met', { latency: { ...latency, p95Us: 150 } }, 'wait', /is met/],
  ['does nothing for a miss within the noise', { latency: { ...latency, p95Us: 163 } }, 'wait', /noise/],
  ['one thing at a time: a job', { busy: 'job' }, 'wait', /job/],
  ['one thing at a time: a rollout', { busy: 'rollout' }, 'wait', /rollout/],
  ['waits for a build', { variants: [variant(), int8({ state: 'building' })] }, 'wait', /being built/],
  ['rolls out a ready build', { variants: [variant(), int8()] }, 'rollout', /0.1 points below float, 1.60x/],
  [
    'says when a build is better than float',
    { variants: [variant(), int8({ accuracyDrop: -0.15 })] },
    'rollout',
    /0.15 points above float/,
  ],
  [
    'rejects a build that loses too much',
    { variants: [variant(), int8({ accuracyDrop: 1.5 })] },
    'rejected',
    /loses 1.5 points/,
  ],
  [
    'rejects a build nobody evaluated',
    { variants: [variant(), int8({ accuracyDrop: null })] },
    'rejected',
    /not evaluated/,
  ],
  [
    'rejects a build that kept float',
    { variants: [variant(), int8({ method: 'float', note: 'int8 is slower' })] },
    'rejected',
    /kept float: int8 is slower/,
  ],
  [
    'rejects a build that is not faster',
    { variants: [variant(), int8({ proofSpeedup: 0.9 })] },
    'rejected',
    /not faster/,
  ],
  ['rejects a failed build', { variants: [variant(), int8({ state: 'failed', note: 'boom' })] }, 'rejected', /boom/],
  [
    'a variant not measured here may go to the canary',
    { variants: [variant(), int8({ proofSpeedup: null })] },
    'rollout',
    /not measured here/,
  ],
  [
    'goes on to fewer channels after a rejection',
    { variants: [variant(), int8()], decisions: [decision('rejected', 'v-int8')] },
    'build',
    /pruned-int8 is the next recipe/,
  ],
  [
    'prunes when int8 serves and still misses the budget',
    { servingDigest: '8'.repeat(64), variants: [variant(), int8({ measuredP95Us: 200 })] },
    'build',
    /pruned-int8 is the next recipe/,
  ],
  [
    'rolls out a pruned build that is faster',
    { servingDigest: '8'.repeat(64), variants: [variant(), int8(), pruned()] },
    'rollout',
    /0.8 points below float, 2.10x/,
  ],
  [
    'rejects a pruned build that is no faster than int8',
    { servingDigest: '8'.repeat(64), variants: [variant(), int8(), pruned({ proofSpeedup: 1.55 })] },
    'rejected',
    /not faster than int8 \(1.55x of float, 1.60x\)/,
  ],
  [
    'rejects a build that kept its channels',
    { servingDigest: '8'.repeat(64), variants: [variant(), int8(), pruned({ method: 'int8', note: 'no labels' })] },
    'rejected',
    /kept int8: no labels/,
  ],
  [
    'says that nothing is left after the last rejection',
    {
      variants: [variant(), int8(), pruned()],
      decisions: [decision('rejected', 'v-pruned'), decision('rejected', 'v-int8')],
    },
    'nothing-left',
    /nearest is float with p95 200 us, 1.25x/,
  ],
  [
    'cools down after a rollback',
    { variants: [variant(), int8()], decisions: [decision('rolled-back', 'v-int8')] },
    'wait',
    /cools down/,
  ],
  [
    'and then says that nothing is left',
    {
      variants: [variant(), int8({ measuredP95Us: 170 }), pruned()],
      decisions: [decision('rejected', 'v-pruned'), decision('rolled-back', 'v-int8', 700_000)],
    },
    'nothing-left',
    /nearest is int8 with p95 170 us, 1.06x/,
  ],
  [
    'nothing is left above pruned int8',
    { servingDigest: '9'.repeat(64), variants: [variant(), int8(), pruned({ measuredP95Us: 200 })] },
    'nothing-left',
    /no recipe is left/,
  ],
  [
    'says so once',
    { servingDigest: '9'.repeat(64), variants: [pruned()], decisions: [decision('nothing-left', null)] },
    'wait',
    /nothing is left/,
  ],
] as [string, Partial<LoopInput>, string, RegExp][]) {
  t.test(name, async (t) => {
    const proposal = nextProposal(input(value), NOW);
    t.equal(proposal.kind, kind);
    t.match(proposal.reason, reason);
  });
}

t.test('a proposal carries the figures it rests on', async (t) => {
  const proposal = nextProposal(input({ variants: [variant(), int8()] }), NOW);
  t.match(proposal, { numbers: { measuredP95Us: 200, budgetP95Us: 160, samples: 500, accuracyDropPoints: 0.1 } });
});
