/** A controller and one agent on this machine, and a model that the agent serves as float. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type {
  CreatedEnrolmentToken,
  DatasetRow,
  DecisionView,
  DeviceRow,
  JobView,
  ModelView,
  Page,
  RolloutView,
  VariantRow,
} from '@espalier/proto/api';
import { type Call, signInByLink } from '../../support/admin.ts';
import { type Running, start, until } from '../../support/process.ts';
import { startController } from '../../ui/support/controller.ts';

const AGENT = 'agent/bin/espalier-agent.mjs';
const FLOAT_MS = 5 * 60_000;

export interface Subject {
  readonly file: string;
  readonly preprocess: string;
  readonly calibrate: string;
  readonly evaluate: string;
}

export interface Lab {
  readonly call: Call;
  readonly deviceId: string;
  readonly profile: string;
  readonly model: ModelView;
  close(): Promise<void>;
}

/** Enrols an agent, registers the model and serves its float build. Controller and device share this machine. */
export async function openLab(subject: Subject): Promise<Lab> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-lab-'));
  const controller = await startController(path.join(folder, 'controller'));
  let agent: Running | null = null;
  const close = async (): Promise<void> => {
    await agent?.stop();
    await controller.running.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const call = await signInByLink(new URL(controller.link));
    agent = await enrol(call, controller.url, path.join(folder, 'agent'));
    const device = await until('the device is online', async () => {
      const { items } = await call<Page<DeviceRow>>('GET', '/devices');
      return items.find(({ profile, status }) => profile !== null && status === 'online') ?? null;
    });
    const model = await register(call, subject);
    await serveFloat(call, model.id, device.profile!);
    return { call, deviceId: device.id, profile: device.profile!, model, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function enrol(call: Call, url: string, dataDir: string): Promise<Running> {
  const { token } = await call<CreatedEnrolmentToken>('POST', '/enrolment-tokens', { name: 'lab', minutes: 5 });
  const enrolling = start(AGENT, ['enrol', url, '--token', token, '--data', dataDir, '--name', 'lab']);
  if ((await enrolling.exited) !== 0) throw new Error(enrolling.output());
  const env = { ESPALIER_AGENT_MEASURE_INTERVAL_S: '10', ESPALIER_AGENT_HEALTH_WINDOW_S: '2' };
  return start(AGENT, ['run', '--data', dataDir, '--controller', url, '--port', '0'], env);
}

async function register(call: Call, { file, preprocess, calibrate, evaluate }: Subject): Promise<ModelView> {
  const name = path.basename(file, '.onnx');
  const model = await call<ModelView>('POST', `/models?name=${name}`, readFileSync(file));
  const data = await call<DatasetRow>('POST', '/datasets', { name, calibrate, evaluate });
  return call<ModelView>('PATCH', `/models/${model.id}`, {
    ...{ datasetId: data.id, trustContended: true, autoOptimize: false },
    preprocess: JSON.parse(readFileSync(preprocess, 'utf8')),
  });
}

async function serveFloat(call: Call, modelId: string, profile: string): Promise<void> {
  const [job] = await call<JobView[]>('POST', `/models/${modelId}/optimize`, {
    profiles: [profile],
    recipes: ['float'],
  });
  const built = async () => {
    const { state, error } = await call<JobView>('GET', `/jobs/${job!.id}`);
    if (state === 'FAILED') throw new Error(error?.message);
    return state === 'SUCCEEDED' || null;
  };
  await until('float is built', built, FLOAT_MS);
  const group = { name: 'all', percent: 100, successThreshold: 100, errorThreshold: 20, soakSeconds: 0 };
  const { id } = await call<RolloutView>('POST', '/rollouts', { modelId, groups: [group] });
  const done = async () => (await call<RolloutView>('GET', `/rollouts/${id}`)).state === 'FINISHED' || null;
  await until('float serves', done, FLOAT_MS);
}

/** p95 of what serves now, once it was measured. */
export const measuredP95 = ({ call, model }: Lab): Promise<number> =>
  until(
    'the device measured it',
    async () => (await call<ModelView>('GET', `/models/${model.id}`)).fleet[0]?.latency?.p95Us ?? null,
    FLOAT_MS,
  );

/** Oldest first. */
export const storyOf = async ({ call, model }: Lab): Promise<DecisionView[]> =>
  (await call<Page<DecisionView>>('GET', `/decisions?modelId=${model.id}`)).items.toReversed();

export const variantsOf = ({ call, model }: Lab): Promise<VariantRow[]> =>
  call<ModelView>('GET', `/models/${model.id}`).then(({ variantRows }) => variantRows);
