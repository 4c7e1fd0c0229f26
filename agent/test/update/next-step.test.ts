import { nextStep } from '@espalier/agent/update/next-step';
import type { Execution, JournalState, Situation } from '@espalier/agent/update/update.types';
import type { DesiredState, Target } from '@espalier/proto';
import t from 'tap';

const digest = 'a'.repeat(64);
const target: Target = {
  executionId: 'e1',
  rolloutId: 'r1',
  model: 'm',
  modelVersion: '1',
  variantId: 'v',
  digest,
  sizeBytes: 10,
  manifest: { sha256: 'b'.repeat(64), bytes: 5 },
};
const desired: DesiredState = {
  version: 1,
  deviceId: 'dev-a',
  revision: 1,
  profile: { id: 'x64', matched: [] },
  target,
  cancel: [],
  issuedAt: '2026-01-01T00:00:00.000Z',
};
const execution: Execution = {
  target,
  profile: 'x64',
  state: 'ACCEPT',
  done: false,
  transitions: 0,
  attempts: { SELF_TEST: 0, SWITCH: 0, HEALTH: 0 },
  before: null,
  committed: false,
  failure: null,
  records: 1,
};
const before = { current: 'c'.repeat(64), previous: null };
const failure = { outcome: 'FAILED' as const, error: { code: 'ESP_X', message: 'm', action: 'a' } };

/** A device in the middle of an update, or before one. */
function at(
  part: Partial<Execution> | null,
  rest: Partial<Situation> = {},
  ended: JournalState['ended'] = new Map(),
): Situation {
  const journal: JournalState = { execution: part && { ...execution, ...part }, ended, releases: new Map() };
  return { journal, desired, served: null, held: false, ...rest };
}

for (const [name, situation, expected] of [
  ['begins what is wanted', at(null), { kind: 'begin', target, profile: 'x64' }],
  ['has nothing to do without a target', at(null, { desired: { ...desired, target: null } }), { kind: 'idle' }],
  ['does not begin again what ended here', at(null, {}, new Map([['e1', 'FAILED']])), { kind: 'idle' }],
  ['repeats a state that was not finished', at({ state: 'DOWNLOAD' }), { kind: 'work', state: 'DOWNLOAD' }],
  ['downloads after it accepted', at({ state: 'ACCEPT', done: true }), { kind: 'work', state: 'DOWNLOAD' }],
  [
    'only answers when it serves the artifact already',
    at({ state: 'ACCEPT', done: true }, { served: digest }),
    { kind: 'work', state: 'COMMIT' },
  ],
  [
    'never switches to what has not been tested',
    at({ state: 'STAGE', done: true }),
    { kind: 'work', state: 'SELF_TEST' },
  ],
  ['waits with the switch while it is held', at({ state: 'READY', done: true }, { held: true }), { kind: 'wait' }],
  ['watches after the switch', at({ state: 'SWITCH', done: true, before }), { kind: 'work', state: 'HEALTH' }],
  [
    'goes back when the new model is not healthy',
    at({ state: 'HEALTH', before, failure }),
    { kind: 'work', state: 'ROLLBACK' },
  ],
  ['only cleans up when nothing was switched', at({ state: 'VERIFY', failure }), { kind: 'work', state: 'CLEANUP' }],
  [
    'ends as failed after cleaning up',
    at({ state: 'CLEANUP', done: true, failure }),
    { kind: 'end', outcome: 'FAILED' },
  ],
  [
    'ends well after cleaning up',
    at({ state: 'CLEANUP', done: true, committed: true }),
    { kind: 'end', outcome: 'SUCCEEDED' },
  ],
] as const) {
  t.test(name, async (t) => t.strictSame(nextStep(situation), expected));
}

t.test('stops before the switch when the controller cancels, and not after it', async (t) => {
  const canceled = { desired: { ...desired, cancel: ['e1'] } };
  t.match(nextStep(at({ state: 'DOWNLOAD' }, canceled)), {
    kind: 'fail',
    outcome: 'CANCELED',
    error: { code: 'ESP_UPDATE_CANCELED' },
  });
  t.strictSame(nextStep(at({ state: 'HEALTH', before }, canceled)), { kind: 'work', state: 'HEALTH' });
});

t.test('gives up what goes in circles', async (t) => {
  t.match(nextStep(at({ state: 'SELF_TEST', attempts: { SELF_TEST: 3, SWITCH: 0, HEALTH: 0 } })), {
    kind: 'fail',
    error: { code: 'ESP_SELF_TEST_CRASHED' },
  });
  t.match(nextStep(at({ state: 'HEALTH', before, attempts: { SELF_TEST: 1, SWITCH: 0, HEALTH: 3 } })), {
    kind: 'fail',
    error: { code: 'ESP_HEALTH_FAILED' },
  });
  t.match(nextStep(at({ state: 'DOWNLOAD', transitions: 29 })), {
    kind: 'fail',
    error: { code: 'ESP_TOO_MANY_TRANSITIONS' },
  });
});
