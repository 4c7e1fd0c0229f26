/** An image gets labels where the build of the model says how images become its input. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AgentConfig } from '@espalier/agent/config';
import { classify, inputFromImage } from '@espalier/agent/serve/images';
import { Serving } from '@espalier/agent/serve/serving';
import { poolSettings } from '@espalier/agent/serve/settings';
import { Preprocess, SessionOptions } from '@espalier/proto';
import sharp from 'sharp';
import t from 'tap';
import { root } from '../../../test/support/process.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-images-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const preprocess = Preprocess.parse(
  JSON.parse(readFileSync(path.join(root, 'deploy/sample/fashion-ds.preprocess.json'), 'utf8')),
);
const labels = Array.from({ length: 10 }, (_, index) => `class ${index}`);

async function served(record: Preprocess | null): Promise<Serving> {
  const slot = path.join(scratch, (record ? 'a' : 'b').repeat(64));
  mkdirSync(slot);
  writeFileSync(path.join(slot, 'model.onnx'), readFileSync(path.join(root, 'deploy/sample/fashion-ds.onnx')));
  const manifest = {
    ...{ version: 1, digest: path.basename(slot), files: [{ path: 'model.onnx', bytes: 1, sha256: 'c'.repeat(64) }] },
    ...{ model: { name: 'fashion', version: '3' }, profile: 'x64-avx2', releaseCounter: 1, format: 'onnx' },
    ...{ runtime: { adapter: 'onnxruntime', minVersion: '1.20.0', sessionOptions: SessionOptions.parse({}) } },
    ...{ entry: 'model.onnx', inputs: [], outputs: [], preprocess: record, labels },
    ...{ golden: { path: 'golden.json', tolerance: {} } },
    ...{ createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2027-01-01T00:00:00.000Z' },
  };
  const signature = { keyid: 'k', alg: 'ed25519', value: '' };
  writeFileSync(path.join(slot, 'manifest.json'), JSON.stringify({ manifest, signature }));
  const serving = new Serving(poolSettings(AgentConfig.parse({})));
  await serving.swapToSlot(slot);
  return serving;
}

t.test('JPEG and PNG of any size become the input, and the scores become labels', async (t) => {
  const serving = await served({
    ...preprocess,
    color: 'GRAY',
    resize: { width: 28, height: 28, mode: 'stretch', kernel: 'linear' },
  });
  const model = serving.served!;
  const raw = { raw: { width: 60, height: 50, channels: 3 as const } };
  const picture = sharp(Buffer.from(Array.from({ length: 60 * 50 * 3 }, (_, at) => (at * 7) % 251)), raw);
  for (const image of [await picture.clone().png().toBuffer(), await picture.clone().jpeg().toBuffer()]) {
    const feeds = await inputFromImage(model, image);
    t.strictSame(feeds[preprocess.input]?.shape, [1, 1, 28, 28]);
    const { outputs } = await serving.infer(model, feeds);
    const classes = classify(model, outputs, 3);
    t.equal(classes.length, 3);
    t.ok(classes[0]!.score >= classes[1]!.score && classes[1]!.score >= classes[2]!.score);
    t.equal(classes[0]!.label, `class ${classes[0]!.index}`);
    const all = classify(model, outputs, 10).reduce((sum, { score }) => sum + score, 0);
    t.ok(Math.abs(all - 1) < 1e-4, 'scores are probabilities');
  }
  await t.rejects(inputFromImage(model, Buffer.from('no image')), { code: 'ESP_IMAGE_REFUSED' });
  await serving.close();
});

t.test('a build without preprocessing says that it takes no images', async (t) => {
  const serving = await served(null);
  await t.rejects(inputFromImage(serving.served!, Buffer.alloc(4)), {
    code: 'ESP_IMAGE_REFUSED',
    message: /does not say/,
  });
  await serving.close();
});
