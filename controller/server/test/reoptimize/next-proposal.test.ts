/** nextProposal as a table: what the loop knows, and what it does. */
import type { LoopInput } from '@espalier/server/reoptimize/loop.types';
import { nextProposal } from '@espalier/server/reoptimize/next-proposal';
import t from 'tap';
import { device, INT8, input, int8, NOW, PRUNED, past, pruned, variant, window } from './loop-inputs.ts';

type Case = [name: string, known: Partial<LoopInput>, kind: string, reason: RegExp];
const policy = (change: Partial<LoopInput['policy']>): Partial<LoopInput> => ({
  policy: { ...input().policy, ...change },
});
const table = (change: Partial<LoopInput['table']>): LoopInput['table'] => ({
  ...{ state: 'measured', reason: '', narrowestUs: 60, measuredAtMs: NOW - 5000 },
  ...change,
});
const fleet = (...p95s: number[]) => p95s.map((p95Us, at) => device(p95Us, {}, `dev-${at}`));
const float = variant();
/** int8 serves and still misses. */
const onInt8 = { servingDigest: INT8, variants: [float, int8({ measuredP95Us: 200 })] };

const waits: Case[] = [
  ['when switched off', policy({ model: false }), 'wait', /switched off for this model/],
  ['when switched off for the profile', policy({ profile: false }), 'wait', /switched off for this profile/],
  ['without a budget', { budget: { maxAccuracyDrop: 1, p95Us: null, maxSizeBytes: null } }, 'wait', /no latency/],
  ['without devices', { devices: [] }, 'wait', /no device/],
  ['for a measurement', { devices: [{ id: 'dev-1', windows: [] }] }, 'wait', /nothing was measured/],
  ['on unstable windows', { devices: [device(200, { class: 'unstable' })] }, 'wait', /2 clean windows.*unstable/],
  ['on throttled windows', { devices: [device(200, { class: 'throttled' })] }, 'wait', /throttled/],
  ['on contended windows', { devices: [device(200, { class: 'contended' })] }, 'wait', /contended/],
  ['for a second window', { devices: [{ id: 'd', windows: [window(200)] }] }, 'wait', /2 clean windows.*1 so far/],
  ['on windows of yesterday', { devices: [device(200, { endedAtMs: NOW - 90_000_000 })] }, 'wait', /nothing was/],
  ['for samples', { devices: [device(200, { n: 90 })] }, 'wait', /180 samples of a device so far, 200 needed/],
  ['when the budget is met', { devices: [device(150)] }, 'wait', /is met/],
  ['on a miss within the noise', { devices: [device(163)] }, 'wait', /is met/],
  ['when one window of two met it', { devices: [{ id: 'd', windows: [window(300), window(150)] }] }, 'wait', /is met/],
  ['for a second device', { devices: fleet(200, 150, 150, 150) }, 'wait', /1 of 4 devices miss the budget, 2 needed/],
  ['for a quarter of them', { devices: fleet(...Array(10).fill(150), 200, 200) }, 'wait', /2 of 12.*3 needed/],
  ['while a job runs', { busy: 'job' }, 'wait', /job/],
  ['while a rollout runs', { busy: 'rollout' }, 'wait', /rollout/],
  ['for a build', { variants: [float, int8({ state: 'building' })] }, 'wait', /being built/],
  ['for tomorrow', { buildsToday: 6 }, 'wait', /tomorrow: 6 builds/],
  [
    'where a person took a promoted build back',
    { variants: [float, int8()], history: [past('promoted', 'v-int8')] },
    'wait',
    /int8 was promoted and devices serve float again/,
  ],
  ['after a rollback', { variants: [float, int8()], history: [past('rolled-back', 'v-int8')] }, 'wait', /599 s/],
  [
    'longer after a second one',
    {
      variants: [float, int8()],
      history: [past('rolled-back', 'v-x', 700_000), past('rolled-back', 'v-int8', 800_000)],
    },
    'wait',
    /cools down for 500 s/,
  ],
];

const lying = [...fleet(150, 150, 150), device(900, {}, 'liar')];
const starts: Case[] = [
  ['the next recipe', {}, 'build', /200 us misses the budget of 160 us on 1 of 1 devices.*int8 is the next/],
  [
    'on contended windows where the owner trusts them',
    { ...policy({ contended: true }), devices: [device(200, { class: 'contended' })] },
    'build',
    /int8/,
  ],
  ['not because of a device unlike the others', { devices: lying }, 'wait', /is met/],
  [
    'and says which device was left out',
    { devices: [...fleet(200, 200, 200), device(9, {}, 'liar')] },
    'build',
    /left out as unlike the others: liar/,
  ],
  ['the rollout of a ready build', { variants: [float, int8()] }, 'rollout', /0.1 points below float, 1.60x/],
  ['a build that is above float', { variants: [float, int8({ accuracyDrop: -0.15 })] }, 'rollout', /0.15 points above/],
  ['a build not measured here', { variants: [float, int8({ proofSpeedup: null })] }, 'rollout', /not measured here/],
];

const refuses: Case[] = [
  ['one that loses too much', { variants: [float, int8({ accuracyDrop: 1.5 })] }, 'rejected', /loses 1.5 points/],
  ['one nobody evaluated', { variants: [float, int8({ accuracyDrop: null })] }, 'rejected', /not evaluated/],
  [
    'one that kept float',
    { variants: [float, int8({ method: 'float', note: 'slow' })] },
    'rejected',
    /kept float: slow/,
  ],
  ['one that is not faster', { variants: [float, int8({ proofSpeedup: 0.9 })] }, 'rejected', /not faster/],
  ['one that failed', { variants: [float, int8({ state: 'failed', note: 'boom' })] }, 'rejected', /boom/],
  [
    'one no faster than int8',
    { ...onInt8, variants: [float, int8(), pruned({ proofSpeedup: 1.55 })] },
    'rejected',
    /not faster than int8 \(1.55x of float, 1.60x\)/,
  ],
  [
    'an untrained one, but offers it to a person',
    { ...onInt8, variants: [float, int8(), pruned({ accuracyDrop: 3.4 })], data: { samples: 500, labelled: false } },
    'offered',
    /loses 3.4 points.*1000 labelled samples would let it be distilled/,
  ],
];

const climbs: Case[] = [
  [
    'on after a rejection',
    { variants: [float, int8()], history: [past('rejected', 'v-int8')] },
    'build',
    /pruned-int8 is the next recipe/,
  ],
  [
    'past a build that its canary would stop',
    { variants: [float, int8({ proofSpeedup: 1.05 })] },
    'build',
    /pruned-int8 is the next recipe/,
  ],
  ['to fewer channels when int8 misses too', onInt8, 'build', /pruned-int8 is the next recipe/],
  [
    'to a device that measures a table',
    { ...onInt8, table: table({ state: 'absent' }) },
    'measure',
    /no latency table/,
  ],
  [
    'to a new table when it is stale',
    { ...onInt8, table: table({ state: 'stale', reason: 'runtime' }) },
    'measure',
    /stale \(runtime\)/,
  ],
  [
    'no further while it is measured',
    { ...onInt8, table: table({ state: 'measuring', reason: '1 of 3' }) },
    'wait',
    /1 of 3/,
  ],
  ['to a build along the table', { ...onInt8, table: table({}) }, 'build', /pruned-int8/],
  [
    'past a budget that no width meets',
    { ...onInt8, table: table({ narrowestUs: 171 }) },
    'nothing-left',
    /nearest is float with p95 200 us, 1.25x/,
  ],
  [
    'past pruning without data',
    { ...onInt8, data: { samples: 0, labelled: false } },
    'nothing-left',
    /no recipe is left/,
  ],
  [
    'to one device that tries it',
    { ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100 })] },
    'try',
    /predicted at 100 us/,
  ],
  [
    'no further before it has measured',
    { ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100, trial: 'open' })] },
    'wait',
    /for a device of the profile to measure/,
  ],
  [
    'to the canary where no device could try it',
    { ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100, trial: 'failed' })] },
    'rollout',
    /2.10x/,
  ],
  [
    'to the rollout when it was as predicted',
    { ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100, trialUs: 110 })] },
    'rollout',
    /2.10x/,
  ],
  [
    'back when it was not',
    { ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100, trialUs: 140 })], table: table({}) },
    'rejected',
    /\+40% off the prediction \(15% allowed\): back to the table/,
  ],
  [
    'to a new table then',
    {
      ...{ ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100, trialUs: 140, createdAtMs: NOW - 3000 })] },
      ...{ table: table({ measuredAtMs: NOW - 5000 }), history: [past('rejected', 'v-pruned')] },
    },
    'measure',
    /misled the last build/,
  ],
  [
    'and to another build along it',
    {
      ...{ ...onInt8, variants: [float, int8(), pruned({ predictedUs: 100, trialUs: 140, createdAtMs: NOW - 3000 })] },
      ...{ table: table({ measuredAtMs: NOW - 1000 }), history: [past('rejected', 'v-pruned')] },
    },
    'build',
    /pruned-int8/,
  ],
  [
    'off the end after the last rejection',
    { variants: [float, int8(), pruned()], history: [past('rejected', 'v-pruned'), past('rejected', 'v-int8')] },
    'nothing-left',
    /no recipe is left/,
  ],
  [
    'off the end once',
    { servingDigest: PRUNED, variants: [pruned()], history: [past('nothing-left', null)] },
    'wait',
    /nothing is left/,
  ],
];

const asks: Case[] = [
  ['a person before a rollout', { ...policy({ approval: true }), variants: [float, int8()] }, 'ask', /must approve/],
  [
    'once',
    { ...policy({ approval: true }), variants: [float, int8()], history: [past('ask', 'v-int8')] },
    'wait',
    /approve int8/,
  ],
  [
    'and rolls out when it was approved',
    {
      ...policy({ approval: true }),
      variants: [float, int8()],
      history: [past('approved', 'v-int8'), past('ask', 'v-int8')],
    },
    'rollout',
    /int8 is ready/,
  ],
  [
    'and climbs on when it was declined',
    {
      ...policy({ approval: true }),
      variants: [float, int8()],
      history: [past('declined', 'v-int8'), past('ask', 'v-int8')],
    },
    'build',
    /pruned-int8/,
  ],
];

const meets = { devices: [device(150)] };
const unbuilt = (ageMs: number, why: 'new-version' | 'new-profile' = 'new-version') => ({
  ...{
    servingDigest: null,
    devices: [],
    variants: [],
    unbuilt: { why, recipe: 'int8' as const, sinceMs: NOW - ageMs },
  },
});
const others: Case[] = [
  [
    'a build that is better at no loss',
    { ...meets, variants: [float, int8({ accuracyDrop: 0 })] },
    'rollout',
    /int8 beats the float/,
  ],
  ['not one that loses', { ...meets, variants: [float, int8({ accuracyDrop: 0.1 })] }, 'wait', /is met/],
  [
    'not one that is hardly faster',
    { ...meets, variants: [float, int8({ accuracyDrop: 0, proofSpeedup: 1.1 })] },
    'wait',
    /is met/,
  ],
  [
    'not one that came back',
    { ...meets, variants: [float, int8({ accuracyDrop: 0 })], history: [past('rolled-back', 'v-int8', 90_000_000)] },
    'wait',
    /is met/,
  ],
  [
    'a build for a new runtime',
    { ...meets, builderRuntime: 'onnxruntime 1.31.0', runtimes: ['onnxruntime 1.31.0'] },
    'build',
    /have onnxruntime 1.31.0 now, float was proven with onnxruntime 1.30.0/,
  ],
  ['not before devices have it', { ...meets, builderRuntime: 'onnxruntime 1.31.0' }, 'wait', /is met/],
  ['a build of a new version', unbuilt(700_000), 'build', /serve an earlier version as int8/],
  ['a build for a new profile', unbuilt(700_000, 'new-profile'), 'build', /other profiles serve it as int8/],
  ['not while its owner works on it', unbuilt(60_000), 'wait', /540 s are left/],
  ['not twice', { ...unbuilt(700_000), variants: [int8()] }, 'wait', /a person rolls it out/],
];

for (const [what, cases] of Object.entries({ waits, starts, refuses, climbs, asks, others })) {
  t.test(`it ${what}`, async (t) => {
    for (const [name, known, kind, reason] of cases) {
      const proposal = nextProposal(input(known), NOW);
      t.equal(proposal.kind, kind, `${name}: ${proposal.reason}`);
      t.match(proposal.reason, reason, name);
    }
  });
}

t.test('a proposal carries the figures it rests on', async (t) => {
  const proposal = nextProposal(input({ variants: [float, int8()] }), NOW);
  t.match(proposal, {
    trigger: 'budget-missed',
    numbers: { measuredP95Us: 200, budgetP95Us: 160, samples: 1000, accuracyDropPoints: 0.1 },
  });
});

const both = ['onnxruntime 1.30.0', 'litert 2.3.0'];
for (const [what, change, otherRuntimes, reason] of [
  ['no other runtime', {}, ['litert'], /no other runtime than onnxruntime 1\.30\.0$/],
  [
    'no file for it',
    { runtimes: both },
    [],
    /served by onnxruntime 1\.30\.0 only; the devices also have litert 2\.3\.0$/,
  ],
  [
    'a choice that devices have made',
    { runtimes: both, servedBy: { litert: 3, onnxruntime: 1 } },
    ['litert'],
    /^devices choose between onnxruntime and litert by measurement: litert serves on 3 of 4$/,
  ],
  [
    'a choice that went the other way',
    { runtimes: both, servedBy: { onnxruntime: 2 } },
    ['litert'],
    /litert serves on 0 of 2$/,
  ],
] as const) {
  t.test(`the step of the runtime says what devices do: ${what}`, async (t) => {
    const data = { samples: 50, labelled: true };
    const variants = onInt8.variants.map((one) => ({ ...one, otherRuntimes }));
    const proposal = nextProposal(input({ ...onInt8, variants, data, ...change }), NOW);
    t.match(proposal, { skipped: [{ rung: 'int8' }, { rung: 'runtime', reason }] });
  });
}

t.test('each step of the ladder that is passed over says why', async (t) => {
  const family = [{ name: 'net-small', sizeShare: 0.5 }];
  const data = { samples: 50, labelled: true };
  const proposal = nextProposal(
    input({ ...onInt8, data, family, runtimes: ['onnxruntime 1.30.0', 'litert 2.1'] }),
    NOW,
  );
  t.match(proposal, {
    kind: 'nothing-left',
    skipped: [
      { rung: 'int8', reason: /serves already/ },
      { rung: 'runtime', reason: /also have litert 2.1/ },
      { rung: 'pruned-int8', reason: /200 calibration samples, there are 50/ },
      { rung: 'family', reason: /net-small has the same labels at 50% of the size/ },
    ],
  });
});
