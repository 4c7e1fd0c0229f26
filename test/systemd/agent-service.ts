/** The agent's unit on the way from an enrolment token to an inference. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DatasetRow, DeviceView, JobView, ModelView, RolloutView, VariantRow } from '@espalier/proto/api';
import type { Answer, Caller } from '../../controller/server/test/support/controller.ts';
import { newToken } from '../../controller/server/test/support/device.ts';
import type { Checks } from '../support/checks.ts';
import { root, until } from '../support/process.ts';
import { AGENT, endpoint, infers, MODEL, type ServedDevice, statusOf } from './device.ts';
import { exposure, type Lab, property } from './lab.ts';

const SAMPLE = '/opt/espalier/deploy/sample';
const idx = (set: string): string =>
  `idx:${SAMPLE}/${set}-subset-images-idx3-ubyte.gz,${SAMPLE}/${set}-subset-labels-idx1-ubyte.gz`;

/** The body of an answer that is not a refusal. */
function accepted<T>({ status, body }: Answer<T>): T {
  if (status >= 300) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

/** @returns the device once it serves the sample, or null */
export async function agentServiceChecks(checks: Checks, lab: Lab, admin: Caller): Promise<ServedDevice | null> {
  const enrolled = await checks.check(
    'a token from the API enrols the device, and its service gets ready',
    async () => {
      const { token } = await newToken(admin, 'laboratory');
      const start = `systemctl start ${AGENT} || { journalctl -u ${AGENT} -n 20 --no-pager >&2; exit 1; }`;
      await lab.sh(`espalier-agent enrol http://127.0.0.1:4280 --token ${token}; ${start}`);
      return property(lab, AGENT, 'StatusText');
    },
  );
  if (!enrolled) return null;
  await checks.check('the agent is confined', () => exposure(lab, AGENT));
  let device: ServedDevice | null = null;
  await checks.check('an uploaded model is built, rolled out to it, and answers inferences', async () => {
    const profile = await until('the device to be online with a profile', async () => {
      const { items } = accepted(await admin.call<{ items: DeviceView[] }>('GET', '/devices'));
      return items[0]?.status === 'online' ? items[0].profile : null;
    });
    const modelId = await upload(admin);
    const variantId = await build(admin, modelId, profile);
    await rollOut(admin, modelId, variantId);
    await infers();
    device = await statusOf(lab);
  });
  await checks.check('its metrics can be read', async () => {
    const text = await (await fetch(`${endpoint}/metrics`)).text();
    const counted = /^espalier\w*requests_total\S* \d+/m.exec(text)?.[0];
    if (!counted) throw new Error(`no requests are counted in ${text.slice(0, 300)}`);
    return counted;
  });
  // Without a CA bundle, as here, the runtime says in the journal that its reports cannot leave.
  await checks.check('neither side lets the runtime report to its maker', async () => {
    const said = await lab.sh('journalctl -o cat --no-pager | grep -i telemetry || true');
    if (said) throw new Error(said);
  });
  return device;
}

async function upload(admin: Caller): Promise<string> {
  const data = { name: 'laboratory', calibrate: `${idx('train')}?to=64`, evaluate: `${idx('test')}?to=200` };
  const dataset = accepted(await admin.call<DatasetRow>('POST', '/datasets', data));
  const folder = path.join(root, 'deploy/sample');
  const response = await admin.open(`/models?name=${MODEL}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: readFileSync(path.join(folder, `${MODEL}.onnx`)),
  });
  const { id } = accepted({
    status: response.status,
    body: (await response.json()) as ModelView,
    headers: response.headers,
  });
  const preprocess: unknown = JSON.parse(readFileSync(path.join(folder, `${MODEL}.preprocess.json`), 'utf8'));
  accepted(await admin.call('PATCH', `/models/${id}`, { datasetId: dataset.id, preprocess }));
  return id;
}

/** @returns the float build for the device's profile; nothing here asks how fast it is */
async function build(admin: Caller, modelId: string, profile: string): Promise<string> {
  const wanted = { profiles: [profile], recipes: ['float'] };
  accepted(await admin.call<JobView[]>('POST', `/models/${modelId}/optimize`, wanted));
  return until('the build', async () => {
    const { variantRows } = accepted(await admin.call<ModelView>('GET', `/models/${modelId}`));
    const [variant] = variantRows as VariantRow[];
    if (variant?.state === 'failed') throw new Error(JSON.stringify(variant.error));
    return variant?.state === 'ready' ? variant.id : null;
  });
}

async function rollOut(admin: Caller, modelId: string, variantId: string): Promise<void> {
  const groups = [{ name: 'all', percent: 100 }];
  const gate = { maxRegression: null };
  const plan = { modelId, variantIds: [variantId], groups, gate };
  const { id } = accepted(await admin.call<{ id: string }>('POST', '/rollouts', plan));
  await until('the rollout to finish', async () => {
    const { state, reason } = accepted(await admin.call<RolloutView>('GET', `/rollouts/${id}`));
    if (state === 'PAUSED' || state === 'STOPPED') throw new Error(reason ?? state);
    return state === 'FINISHED' ? true : null;
  });
}
