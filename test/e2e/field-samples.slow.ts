/**
 * The way of an input that a model was unsure of, with real parts: switched on by a person, kept by an agent, sealed, sent when
 * there is a way, labelled, and made evaluation data whose proof says so.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DatasetRow, FieldSampleRow, Page, SamplingView, VariantView } from '@espalier/proto/api';
import sharp from 'sharp';
import t from 'tap';
import { openController, signInAsAdmin } from '../../controller/server/test/support/controller.ts';
import { strict } from '../support/admin.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { ask, buildFloat, sampleImages, serveSample } from '../support/sampled-device.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-field-'));
const [dataDir, agentDir] = [path.join(scratch, 'controller'), path.join(scratch, 'agent')];
const held = (): string[] => {
  const folder = path.join(agentDir, 'samples');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.jwe')) : [];
};
// What an agent that cannot reach its controller waits between two tries.
process.env.ESPALIER_AGENT_POLL_INTERVAL_S = '2';
const policy = { enabled: true, confidenceBelow: 0.7, perDay: 1000, bytesMax: 16_000_000, retentionDays: 30 };

t.test('from a live request to the proof of the next build', async (t) => {
  const ports = { httpPort: await freePort(), grpcPort: await freePort(), mqttPort: await freePort() };
  const settings = { ...ports, enrolPort: await freePort() };
  let controller = await openController(dataDir, settings);
  const admin = await signInAsAdmin(controller);
  const call = strict(admin);
  const { agent, model, endpoint } = await serveSample(call, controller.url, agentDir);
  t.teardown(async () => {
    await agent.stop();
    await controller.close();
    rmSync(scratch, { recursive: true, force: true });
  });
  const images = sampleImages(80);
  const samples = async () =>
    (await call<Page<FieldSampleRow>>('GET', `/models/${model.id}/field-samples?state=open`)).items;

  await ask(endpoint, images);
  t.notOk(existsSync(path.join(agentDir, 'samples')), 'by default a device keeps nothing');
  await call('PUT', `/models/${model.id}/sampling`, policy);
  await until('the device has the order', async () => (agent.output().includes('are sampled') ? true : null));

  await controller.close();
  await ask(endpoint, images);
  const kept = await until('samples are held offline', async () => (held().length > 0 ? held() : null), 20_000);
  const sealed = readFileSync(path.join(agentDir, 'samples', kept[0]!));
  t.match(sealed.subarray(0, 3).toString(), 'eyJ', 'as a JWE');
  controller = await openController(dataDir, settings);
  const arrived = await until('they come when there is a way', async () => {
    const rows = await samples();
    return rows.length >= kept.length ? rows : null;
  });
  await until('what arrived is deleted on the device', async () => (held().length === 0 ? true : null));
  t.ok(arrived.every(({ confidence }) => confidence < policy.confidenceBelow));
  t.match(arrived[0], { shownAs: 'picture', deviceName: 'camera' });

  const pictures = images.map((pixels) => Buffer.from(pixels).toString('hex'));
  for (const { id, guess } of arrived) {
    const picture = Buffer.from(await (await admin.open(`/field-samples/${id}/picture`)).arrayBuffer());
    const raw = await sharp(picture).raw().toBuffer({ resolveWithObject: true });
    const grey = Buffer.from(raw.data.filter((_, at) => at % raw.info.channels === 0));
    t.ok(pictures.includes(grey.toString('hex')), 'it is the picture that was asked about');
    await call('PUT', `/field-samples/${id}/label`, { label: guess });
  }
  const dataset = await call<DatasetRow>('POST', `/models/${model.id}/field-samples/dataset`, {});
  t.match(dataset, { fieldSamples: arrived.length, evaluationSamples: 100 + arrived.length, labelled: true });
  await call('PATCH', `/models/${model.id}`, { datasetId: dataset.id });
  const { id } = await buildFloat(call, model.id);
  const { report } = await call<VariantView>('GET', `/variants/${id}`);
  t.match(report, { data: { n: 100 + arrived.length, split: 'evaluation', labelled: true } });
  t.ok(report!.notes.some((note) => note.startsWith(`${arrived.length} of the ${100 + arrived.length} evaluation`)));

  await call('PUT', `/models/${model.id}/sampling`, { ...policy, enabled: false });
  await until('switched off, the device forgets', async () =>
    existsSync(path.join(agentDir, 'samples')) ? null : true,
  );
  t.match(await call<SamplingView>('GET', `/models/${model.id}/sampling`), { devices: 0 });
});
