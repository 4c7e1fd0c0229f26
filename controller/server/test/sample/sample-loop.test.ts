/** The sample's budget follows float where the machine changes its pace between two measurements. */

import { SystemClock } from '@espalier/server/common/clock';
import type { DeviceLatency, MeasurementService } from '@espalier/server/devices/measurement.service';
import type { ModelService } from '@espalier/server/models/model.service';
import type { DecisionEntity } from '@espalier/server/reoptimize/decision.entity';
import type { DecisionRepository } from '@espalier/server/reoptimize/decision.repository';
import { SampleLoop } from '@espalier/server/sample/sample-loop';
import { untilBy } from '@espalier/server/sample/until';
import t from 'tap';

const subject = { modelId: 'mod-a', deviceId: 'dev-a', profile: 'x64-avx2', floatDigest: 'float' };
const tooSlow = 'GATE_BLOCKED: p95 of x64-avx2: 100% of 1 devices are at or below 400, over 270 (clean windows)';

const latency = (p95Us: number): DeviceLatency => ({
  ...{ deviceId: 'dev-a', profile: 'x64-avx2', digest: 'float', p50Us: p95Us - 20, p95Us, p99Us: null, n: 510 },
  ...{ class: 'clean', measuredAt: new Date() },
});

type End = Pick<DecisionEntity, 'action' | 'reason'>;

/** A controller whose loop ends as told, one end a budget, and whose device measures float at these paces in turn. */
function scripted(ends: readonly End[], paces: readonly number[]) {
  const budgets: number[] = [];
  const said: string[] = [];
  const clock = new SystemClock();
  const models = {
    get: async () => ({ budget: { p95Us: budgets.at(-1) } }),
    update: async (_id: string, change: { budget: { p95Us: number } }) => void budgets.push(change.budget.p95Us),
  };
  const loop = new SampleLoop({
    ...{ clock, until: untilBy(clock), say: (text: string) => said.push(text) },
    models: models as unknown as ModelService,
    measurements: {
      summary: async () => [latency(paces[Math.min(budgets.length, paces.length) - 1] ?? paces[0]!)],
      windows: async () => [{ ...latency(paces[Math.min(budgets.length, paces.length) - 1]!), endedAt: new Date() }],
    } as unknown as MeasurementService,
    decisions: { of: async () => [ends[Math.min(budgets.length, ends.length) - 1]] } as unknown as DecisionRepository,
  });
  return { loop, budgets, said };
}

t.test('a canary that only the pace of the machine stopped is tried again, with a budget of that pace', async (t) => {
  const ends: End[] = [
    { action: 'rolled-back', reason: tooSlow },
    { action: 'promoted', reason: 'every group finished' },
  ];
  const { loop, budgets, said } = scripted(ends, [500, 500]);
  const { end, float } = await loop.conclude(subject, latency(300), 0);
  t.equal(end.action, 'promoted');
  t.same(budgets, [270, 450], 'nine tenths of what float measured each time');
  t.equal(float.p95Us, 500, 'int8 is compared with float at the later pace');
  t.match(said, [/measured again/]);
});

t.test('it is not tried for ever', async (t) => {
  const { loop, budgets } = scripted([{ action: 'rolled-back', reason: tooSlow }], [300]);
  const { end } = await loop.conclude(subject, latency(300), 0);
  t.equal(end.action, 'rolled-back');
  t.equal(budgets.length, 4);
});

t.test('a build that failed for another reason is an end', async (t) => {
  const { loop, budgets } = scripted([{ action: 'rolled-back', reason: 'ERROR_THRESHOLD: 1 of 1 failed' }], [300]);
  t.equal((await loop.conclude(subject, latency(300), 0)).end.action, 'rolled-back');
  t.equal(budgets.length, 1);
});

t.test('float that comes to meet the budget while int8 is built takes the budget with it', async (t) => {
  const ends: End[] = [
    { action: 'build', reason: 'int8 is the next recipe' },
    { action: 'promoted', reason: 'every group finished' },
  ];
  const { loop, budgets } = scripted(ends, [200, 200]);
  const { end, float } = await loop.conclude(subject, latency(300), 0);
  t.equal(end.action, 'promoted');
  t.same(budgets, [270, 180]);
  t.equal(float.p95Us, 200);
});
