/**
 * kill -9 of the agent at the moment each update state is journaled: it is started again, goes on by its journal, and
 * the rollout ends as if nothing had happened. Real controller, real agent, real model; builds alternate, so that each
 * state is met on a real change.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type {
  CreatedEnrolmentToken,
  DeviceRow,
  JobView,
  ModelView,
  Page,
  RolloutView,
  VariantRow,
} from '@espalier/proto/api';
import t from 'tap';
import { type Call, signInByLink } from '../support/admin.ts';
import { freePorts } from '../support/journey.ts';
import { type Running, root, start, until } from '../support/process.ts';

const STATES = ['ACCEPT', 'DOWNLOAD', 'VERIFY', 'STAGE', 'SELF_TEST', 'READY', 'SWITCH', 'HEALTH', 'COMMIT', 'CLEANUP'];
const AGENT = 'agent/dist/main.js';
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-agent-kill-'));
const agentDir = path.join(scratch, 'agent');
const LINK = /http:\/\/[\d.]+:\d+\/sign-in\?link=\S+/;

const runAgent = (fault = '', healthWindowS = 1): Running =>
  start(AGENT, ['run', '--data', agentDir, '--port', '0'], {
    ESPALIER_AGENT_FAULT: fault,
    ESPALIER_AGENT_HEALTH_WINDOW_S: String(healthWindowS),
    ESPALIER_AGENT_MEASURE_INTERVAL_S: '600',
  });

/** One device, which serves the first of two builds of the sample model. */
async function twoBuilds(call: Call): Promise<{ model: ModelView; variants: VariantRow[] }> {
  const device = await until('the device is online', async () => {
    const { items } = await call<Page<DeviceRow>>('GET', '/devices');
    return items.find((row) => row.status === 'online' && row.profile !== null) ?? null;
  });
  const bytes = readFileSync(path.join(root, 'deploy/sample/fashion-ds.onnx'));
  const model = await call<ModelView>('POST', '/models?name=killed', bytes);
  const wanted = { profiles: [device.profile], recipes: ['float', 'int8'] };
  for (const { id } of await call<JobView[]>('POST', `/models/${model.id}/optimize`, wanted)) {
    await until(
      'the build ends',
      async () => ((await call<JobView>('GET', `/jobs/${id}`)).state === 'SUCCEEDED' ? true : null),
      90_000,
    );
  }
  return { model, variants: await call<VariantRow[]>('GET', `/variants?modelId=${model.id}`) };
}

const rollOut = (call: Call, modelId: string, variantId: string): Promise<RolloutView> =>
  call('POST', '/rollouts', {
    ...{ modelId, variantIds: [variantId] },
    groups: [{ name: 'all', percent: 100, successThreshold: 100, errorThreshold: 20, soakSeconds: 0 }],
    gate: { p95Us: null, maxRegression: null, minDevices: 1 },
  });

const ended = (call: Call, id: string): Promise<RolloutView> =>
  until('the rollout ends', async () => {
    const view = await call<RolloutView>('GET', `/rollouts/${id}`);
    return ['FINISHED', 'PAUSED', 'STOPPED'].includes(view.state) ? view : null;
  });

const servedDigest = async (call: Call): Promise<string | null> =>
  (await call<Page<DeviceRow>>('GET', '/devices')).items[0]?.serving?.digest ?? null;

t.test('an agent that dies in the middle of an update', async (t) => {
  const controller = start(
    'controller/server/dist/main.js',
    ['--empty', '--data-dir', path.join(scratch, 'data')],
    freePorts,
  );
  let agent: Running | null = null;
  t.teardown(async () => {
    await agent?.stop('SIGKILL');
    await controller.stop('SIGKILL');
    if (!t.passing()) t.comment(controller.output());
    rmSync(scratch, { recursive: true, force: true });
  });
  const link = new URL((await controller.waitFor(LINK))[0]);
  const call = await signInByLink(link);
  const { token } = await call<CreatedEnrolmentToken>('POST', '/enrolment-tokens', { name: 'killed' });
  const enrolment = start(AGENT, ['enrol', link.origin, '--token', token, '--data', agentDir]);
  t.equal(await enrolment.exited, 0, 'the agent enrols');
  agent = runAgent();
  const { model, variants } = await twoBuilds(call);
  t.equal(await agent.stop(), 0, 'and stops cleanly');

  for (const [index, state] of STATES.entries()) {
    await t.test(`killed in ${state}: goes on and ends well`, async (t) => {
      agent = runAgent(`kill:${state}`);
      const variant = variants[index % variants.length]!;
      const { id } = await rollOut(call, model.id, variant.id);
      t.equal(await agent.exited, 'SIGKILL', 'the agent died there');
      agent = runAgent();
      const rollout = await ended(call, id);
      t.equal(rollout.state, 'FINISHED', rollout.reason ?? '');
      t.equal(await until('the report', () => servedDigest(call)), variant.digest, 'the device serves the new build');
      t.equal(await agent.stop(), 0);
    });
  }

  await t.test(
    'three deaths in the health window, and one more in the rollback: the old build serves again',
    async (t) => {
      const before = await servedDigest(call);
      const variant = variants.find(({ digest }) => digest !== before)!;
      const { id } = await rollOut(call, model.id, variant.id);
      for (let deaths = 1; deaths <= 3; deaths++) {
        agent = runAgent('', 600);
        await until('the window begins', async () => {
          const journal = readFileSync(path.join(agentDir, 'journal'), 'utf8');
          return journal.split('"type":"attempt","state":"HEALTH"').length > deaths ? true : null;
        });
        await agent.stop('SIGKILL');
      }
      agent = runAgent('kill:ROLLBACK', 600);
      t.equal(await agent.exited, 'SIGKILL', 'the agent died in the rollback too');
      agent = runAgent();
      const rollout = await ended(call, id);
      t.equal(rollout.state, 'PAUSED', 'the rollout does not go on by itself');
      t.match(rollout.executions, [
        { state: 'FAILED', error: { code: 'ESP_ROLLED_BACK', details: { causeCode: 'ESP_HEALTH_FAILED' } } },
      ]);
      t.equal(await until('the report', () => servedDigest(call)), before, 'the device serves the old build');
      t.equal(await agent.stop(), 0);
    },
  );

  t.equal(await controller.stop(), 0, 'the controller stops cleanly');
});
