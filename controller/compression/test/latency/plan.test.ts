/** A timing plan made of the sample, and a pruning along the table that its times give; with and without labels. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inspectModel, loadProfiles, planTiming, profileById } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { rowsOfTimes } from '@espalier/compression/latency/plan';
import { readModel } from '@espalier/compression/onnx/codec';
import { rewriting } from '@espalier/compression/passes/index';
import { narrow } from '@espalier/compression/recipe/narrow';
import { prepare } from '@espalier/compression/recipe/prepare';
import { LatencyTable, sha256Hex } from '@espalier/proto';
import t from 'tap';
import { sample } from '../support/sample.ts';

const profile = profileById('x64-avx2', await loadProfiles());
const { preprocess, inputs } = await inspectModel(sample.model);
const outDir = t.testdir();
const planned = await planTiming({ modelPath: sample.model, profile, calibrate: sample.calibrate, preprocess, outDir });

t.test('the whole network first, then narrower ones, each as a file of its digest', async (t) => {
  t.equal(planned[0]!.share, 1);
  for (const { file } of planned) t.equal(sha256Hex(readFileSync(path.join(outDir, file.path))), file.sha256);
  const work = planned.map(({ works }) => Object.values(works).reduce((sum, one) => sum + one.work, 0));
  t.ok(
    work.every((one, at) => at === 0 || one < work[at - 1]!),
    `less to do each time: ${work.join(', ')}`,
  );
});

t.test('pruning along the table keeps the latency it says, and with no labels it stops by agreement', async (t) => {
  // A device on which a million multiply-accumulates take 50 us and every operator 2 us more.
  const times = (works: (typeof planned)[0]['works']) =>
    new Map(Object.entries(works).map(([name, { work }]) => [name, 2 + work * 5e-5]));
  const rows = rowsOfTimes(planned.map(({ works }) => ({ works, times: times(works) })));
  const anchorUs = [...times(planned[0]!.works).values()].reduce((sum, us) => sum + us, 0);
  const key = { profile: profile.id, soc: null, runtime: 'r', options: '{}', powerMode: null, precision: 'int8' };
  const table = LatencyTable.parse({ version: 1, model: 'm', key, anchorUs, rows });
  const data = await openDataset(sample.calibrate);
  const feeding = { inputs, preprocess, batchSize: 32, seed: 1 };
  const { graph } = await prepare(await readModel(sample.model), data, { ...feeding, limit: 8 }, rewriting(profile));
  const options = { profile, feeding, maxDrop: 3, minutes: 0, table };
  const labelled = await narrow(graph, { ...options, data });
  t.ok(labelled.isPruned && labelled.predictedUs! < 0.9 * anchorUs, labelled.notes.join(' '));
  t.match(labelled.notes[0], /along a measured latency table/);
  const blind = await narrow(graph, { ...options, data: { ...data, labelled: false } });
  t.match(blind.notes[0], /not trained.*points of agreement with float/);
});
