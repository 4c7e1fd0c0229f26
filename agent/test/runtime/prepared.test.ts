/** A model that was laid out for this device computes the same to the bit, and is laid out anew where anything has changed. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AgentConfig } from '@espalier/agent/config';
import { readFacts } from '@espalier/agent/hardware/facts';
import { ModelPool } from '@espalier/agent/runtime/model-pool';
import { PreparedModels } from '@espalier/agent/runtime/prepared';
import { probeFeeds } from '@espalier/agent/runtime/probe-feeds';
import { Serving } from '@espalier/agent/serve/serving';
import { poolSettings } from '@espalier/agent/serve/settings';
import { SessionOptions } from '@espalier/proto';
import t from 'tap';
import { root } from '../../../test/support/process.ts';

const MODEL = path.join(root, 'deploy/sample/fashion-ds.onnx');
const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-prepared-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const { cpu } = readFacts();
const options = SessionOptions.parse({});
const settings = poolSettings(AgentConfig.parse({}));

t.test('the same answers, from the file beside', async (t) => {
  const models = new PreparedModels(folder, cpu);
  t.equal(models.find('a', options), null);
  await models.prepare(MODEL, 'a', options);
  const file = models.find('a', options)!;
  t.ok(file);
  t.equal(new PreparedModels(folder, { ...cpu, features: ['another'] }).find('a', options), null, 'for this CPU only');
  t.equal(models.find('a', { ...options, enableMemPattern: false }), null, 'and for these options');
  const pools = [
    await ModelPool.open(MODEL, options, settings),
    await ModelPool.open(file, options, settings),
  ] as const;
  const feeds = probeFeeds(pools[0].layout!, 0, 3);
  const [plain, prepared] = [await pools[0].run(feeds), await pools[1].run(feeds)];
  t.strictSame(prepared, plain);
  for (const pool of pools) await pool.close();
});

t.test(
  'a damaged one is dropped, and the model itself opened; a model without weights on disk leaves nothing',
  async (t) => {
    const models = new PreparedModels(folder, cpu);
    await models.prepare(MODEL, MODEL, options);
    const file = models.find(MODEL, options)!;
    writeFileSync(file, 'no model');
    const serving = new Serving(settings, null, { prepared: models });
    await serving.swapToFile(MODEL, 'm');
    t.equal(serving.served?.pool.file, MODEL);
    t.equal(models.find(MODEL, options), null);
    await serving.close();
    await t.rejects(models.prepare(file, 'gone', options), { code: 'ESP_MODEL_LOAD_FAILED' });
    t.equal(models.find('gone', options), null);
    t.notOk(readdirSync(folder).some((name) => name.endsWith('.new')));
  },
);

t.test('served and left alone, a model is laid out for its next start; four are kept', async (t) => {
  const models = new PreparedModels(folder, cpu);
  const serving = new Serving(settings, null, { prepared: models });
  await serving.swapToFile(MODEL, 'm');
  for (let waited = 0; waited < 100 && !models.find(MODEL, options); waited++)
    await new Promise((resolve) => setTimeout(resolve, 100));
  const file = models.find(MODEL, options);
  t.ok(file);
  await serving.swapToFile(MODEL, 'm');
  t.equal(serving.served?.pool.file, file);
  await serving.close();
  for (const name of ['b', 'c', 'd', 'e']) await models.prepare(MODEL, name, options);
  t.equal(readdirSync(folder).length, 4);
  t.ok(models.find('e', options));
});
