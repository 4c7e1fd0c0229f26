/** A build that is cut to a size: what is reckoned of the file beforehand is what it comes to. */
import { buildVariant, inspectModel, loadProfiles, profileById } from '@espalier/compression';
import { readModel } from '@espalier/compression/onnx/codec';
import { int8Cost } from '@espalier/compression/prune/macs';
import { sizeShareFor } from '@espalier/compression/recipe/size-share';
import t from 'tap';
import { sample } from '../support/sample.ts';

const { preprocess } = await inspectModel(sample.model);
const profile = profileById(process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod', await loadProfiles());
const sizeOf = async (outDir: string, parts: object) => {
  const { report } = await buildVariant({
    ...{ modelPath: sample.model, modelName: 'fashion-ds', profile, preprocess, outDir, minutes: 0 },
    ...{ recipe: 'int8', calibrate: sample.calibrate, evaluate: sample.evaluate, ...parts },
  });
  return report;
};

t.test('short names alone make a small file smaller', async (t) => {
  const plain = await sizeOf(t.testdir(), {});
  const compact = await sizeOf(t.testdir(), { compact: true });
  t.ok(compact.variant.sizeBytes < 0.95 * plain.variant.sizeBytes, `${plain.variant.sizeBytes} bytes before`);
  t.same(compact.variant.top1, plain.variant.top1);
});

t.test('a share of the file is cut to, with the channels that a residual connection ties too', async (t) => {
  const int8 = await sizeOf(t.testdir(), { compact: true });
  const byWidths = int8Cost.of(await readModel(sample.model), new Map());
  const ratio = 5;
  const sizes = { floatBytes: int8.float.sizeBytes, int8Bytes: int8.variant.sizeBytes, byWidths };
  const sizeShare = sizeShareFor(ratio, sizes)!;
  const cut = await sizeOf(t.testdir(), { compact: true, recipe: 'pruned-int8', sizeShare });
  t.ok(cut.sizeRatio >= ratio && cut.sizeRatio < 1.2 * ratio, `${cut.sizeRatio} times smaller`);
});

t.test('a size that no widths reach is answered by the nearest', async (t) => {
  const { sizeRatio, notes } = await sizeOf(t.testdir(), { compact: true, recipe: 'pruned-int8', sizeShare: 0.02 });
  t.ok(sizeRatio > 5, `${sizeRatio} times smaller`);
  t.match(notes.join(' '), /were removed/);
});
