/**
 * A build with a file for each runtime, from a real controller to real agents: a device pulls what it can use, and one that has
 * LiteRT chooses by measurement. Without LiteRT's library (docs/serving.md) only the first half can be tried, and that is said.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DEFAULT_FOLDER, liteRtVersion } from '@espalier/agent/runtime/litert/library';
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

const AGENT = 'agent/dist/main.js';
const LINK = /http:\/\/[\d.]+:\d+\/sign-in\?link=\S+/;
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-runtime-'));
const LITERT = process.env.ESPALIER_LITERT ?? DEFAULT_FOLDER;

interface Device {
  readonly name: string;
  readonly dir: string;
  readonly running: Running;
}

async function device(call: Call, origin: string, name: string, litert: string): Promise<Device> {
  const { token } = await call<CreatedEnrolmentToken>('POST', '/enrolment-tokens', { name });
  const dir = path.join(scratch, name);
  await start(AGENT, ['enrol', origin, '--token', token, '--data', dir, '--name', name]).exited;
  const running = start(AGENT, ['run', '--data', dir, '--port', '0'], {
    ...{ ESPALIER_LITERT: litert, ESPALIER_AGENT_HEALTH_WINDOW_S: '1', ESPALIER_AGENT_MEASURE_INTERVAL_S: '600' },
    ...{ ESPALIER_AGENT_TUNE_AFTER_S: '0.5', ESPALIER_AGENT_TUNE_LIMIT_S: '2' },
  });
  await until(`${name} is online`, async () => {
    const { items } = await call<Page<DeviceRow>>('GET', '/devices');
    return items.find((row) => row.name === name && row.status === 'online' && row.profile !== null) ?? null;
  });
  return { name, dir, running };
}

/** The int8 build of the sample for the profile of these devices. */
async function int8Build(call: Call): Promise<{ model: ModelView; variant: VariantRow }> {
  const { items } = await call<Page<DeviceRow>>('GET', '/devices');
  const bytes = readFileSync(path.join(root, 'deploy/sample/fashion-ds.onnx'));
  const model = await call<ModelView>('POST', '/models?name=two', bytes);
  const wanted = { profiles: [items[0]!.profile], recipes: ['int8'] };
  for (const { id } of await call<JobView[]>('POST', `/models/${model.id}/optimize`, wanted))
    await until(
      'the build ends',
      async () => ((await call<JobView>('GET', `/jobs/${id}`)).state === 'SUCCEEDED' ? true : null),
      90_000,
    );
  const [variant] = await call<VariantRow[]>('GET', `/variants?modelId=${model.id}`);
  return { model, variant: variant! };
}

t.test('a file for LiteRT reaches the devices that have LiteRT, which choose by measurement', async (t) => {
  const controller = start(
    'controller/server/dist/main.js',
    ['--empty', '--data-dir', path.join(scratch, 'data')],
    freePorts,
  );
  const devices: Device[] = [];
  t.teardown(async () => {
    for (const { running } of devices) await running.stop();
    await controller.stop();
    rmSync(scratch, { recursive: true, force: true });
  });
  const link = new URL((await controller.waitFor(LINK))[0]);
  const call = await signInByLink(link);
  const has = liteRtVersion() !== null;
  devices.push(await device(call, link.origin, 'plain', path.join(scratch, 'nothing')));
  if (has) devices.push(await device(call, link.origin, 'both', LITERT));
  else t.comment(`skipped: a device with LiteRT, which is not in ${LITERT} (ESPALIER_LITERT names another folder)`);
  const { model, variant } = await int8Build(call);
  const { id } = await call<RolloutView>('POST', '/rollouts', {
    ...{ modelId: model.id, variantIds: [variant.id] },
    groups: [{ name: 'all', percent: 100, successThreshold: 100, errorThreshold: 20, soakSeconds: 0 }],
    gate: { p95Us: null, maxRegression: null, minDevices: 1 },
  });
  const rollout = await until('the rollout ends', async () => {
    const view = await call<RolloutView>('GET', `/rollouts/${id}`);
    return ['FINISHED', 'PAUSED', 'STOPPED'].includes(view.state) ? view : null;
  });
  t.equal(rollout.state, 'FINISHED', rollout.reason ?? '');
  const slotOf = ({ dir }: Device) => path.join(dir, 'store', 'slots', variant.digest!);
  for (const one of devices) {
    const { manifest } = JSON.parse(readFileSync(path.join(slotOf(one), 'manifest.json'), 'utf8'));
    t.match(manifest, { entry: 'model.onnx', alternatives: [{ adapter: 'litert', entry: 'model.tflite' }] });
    t.equal(manifest.digest, variant.digest, 'one digest covers both files');
    t.ok(existsSync(path.join(slotOf(one), 'model.onnx')));
    t.equal(existsSync(path.join(slotOf(one), 'model.tflite')), one.name === 'both', `${one.name}: model.tflite`);
  }
  if (!has) return;
  const [, endpoint] = await devices[1]!.running.waitFor(/"endpoint":"(http:\/\/[\d.:]+)"/);
  const scheduling = await until('both runtimes are measured', async () => {
    const answer = await (await fetch(`${endpoint}/v2/models/two/stats`)).json();
    return (
      (answer as { model_stats: { scheduling: { plan: object | null } }[] }).model_stats[0]?.scheduling.plan ?? null
    );
  });
  t.match(scheduling, { compared: { onnxruntime: Number, litert: Number } });
});
