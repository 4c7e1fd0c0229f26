/** A controller and a real agent that serves the sample model, up to the point where its inputs can be sampled. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type {
  CreatedEnrolmentToken,
  DatasetRow,
  DeviceRow,
  EnrolmentInfo,
  ModelView,
  Page,
  RolloutRow,
  VariantRow,
} from '@espalier/proto/api';
import sharp from 'sharp';
import { runAgent } from '../ui/support/controller.ts';
import type { Call } from './admin.ts';
import { type Running, root, until } from './process.ts';

const sample = (file: string): string => path.join(root, 'deploy', 'sample', file);
const SIDE = 28;
/** Bytes before the images of an idx file with three dimensions. */
const IDX_HEADER_BYTES = 16;

export interface Sampled {
  readonly agent: Running;
  readonly model: ModelView;
  readonly deviceId: string;
  /** Of the agent's inference API. */
  readonly endpoint: string;
}

/** Enrols an agent and runs it. @param url of the controller */
export async function enrolAgent(call: Call, url: string, dataDir: string): Promise<Running> {
  const { token } = await call<CreatedEnrolmentToken>('POST', '/enrolment-tokens', { name: 'camera', minutes: 5 });
  const { enrolUrl } = await call<EnrolmentInfo>('GET', '/enrolment');
  if (!enrolUrl) throw new Error('there is no address to enrol at');
  return runAgent(`espalier-agent enrol ${url} --token ${token}`, dataDir);
}

/** Registers the sample with data, builds it in float, and rolls it out to the one device. */
export async function serveSample(call: Call, url: string, agentDir: string): Promise<Sampled> {
  const agent = await enrolAgent(call, url, agentDir);
  const { id } = await call<ModelView>('POST', '/models?name=fashion-ds', readFileSync(sample('fashion-ds.onnx')));
  const pair = (part: string) =>
    `idx:${sample(`${part}-subset-images-idx3-ubyte.gz`)},${sample(`${part}-subset-labels-idx1-ubyte.gz`)}`;
  const data = { name: 'fashion', calibrate: `${pair('train')}?to=100`, evaluate: `${pair('test')}?to=100` };
  const dataset = await call<DatasetRow>('POST', '/datasets', data);
  const model = await call<ModelView>('PATCH', `/models/${id}`, {
    ...{ datasetId: dataset.id, autoOptimize: false },
    preprocess: JSON.parse(readFileSync(sample('fashion-ds.preprocess.json'), 'utf8')) as unknown,
    labels: readFileSync(sample('labels.txt'), 'utf8').trim().split('\n'),
  });
  const one = async (): Promise<DeviceRow | undefined> => (await call<Page<DeviceRow>>('GET', '/devices')).items[0];
  await until('the device is online', async () => ((await one())?.status === 'online' ? true : null));
  await buildFloat(call, id);
  const group = { name: 'all', percent: 100, successThreshold: 100, errorThreshold: 50, soakSeconds: 0 };
  const rollout = await call<RolloutRow>('POST', '/rollouts', { modelId: id, groups: [group] });
  await until('the device serves it', async () =>
    (await call<RolloutRow>('GET', `/rollouts/${rollout.id}`)).state === 'FINISHED' ? true : null,
  );
  const [, endpoint] = await agent.waitFor(/"endpoint":"(http:[^"]+)"/);
  return { agent, model, deviceId: (await one())!.id, endpoint: endpoint! };
}

/** One float build of the model for the fleet, as it is registered now. */
export async function buildFloat(call: Call, modelId: string): Promise<VariantRow> {
  const before = (await call<VariantRow[]>('GET', '/variants')).length;
  await call('POST', `/models/${modelId}/optimize`, { recipes: ['float'] });
  return until('the build is ready', async () => {
    const rows = await call<VariantRow[]>('GET', '/variants');
    const failed = rows.find(({ state }) => state === 'failed');
    if (failed) throw new Error(JSON.stringify(failed.error));
    return rows.length > before && rows.every(({ state }) => state === 'ready') ? rows[0]! : null;
  });
}

/** The first images of the sample's evaluation half, 28 x 28, grey. */
export function sampleImages(count: number): Uint8Array[] {
  const pixels = gunzipSync(readFileSync(sample('test-subset-images-idx3-ubyte.gz')));
  return Array.from({ length: count }, (_, at) => {
    const start = IDX_HEADER_BYTES + at * SIDE * SIDE;
    return new Uint8Array(pixels.subarray(start, start + SIDE * SIDE));
  });
}

/** Sends pictures as a camera would. @throws for an answer that is none */
export async function ask(endpoint: string, images: readonly Uint8Array[]): Promise<void> {
  for (const pixels of images) {
    const png = await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .png()
      .toBuffer();
    const response = await fetch(`${endpoint}/v2/models/fashion-ds/infer`, {
      ...{ method: 'POST', headers: { 'content-type': 'image/png' }, body: new Uint8Array(png) },
    });
    if (!response.ok) throw new Error(await response.text());
  }
}
