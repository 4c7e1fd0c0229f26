/** A timing plan made of the sample, and a pruning along the table that its times give; with and without labels. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inspectModel, loadProfiles, planTiming, profileById } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { nodeTimes } from '@espalier/compression/latency/node-times';
import { rowsOfTimes, type Timed, worksOf } from '@espalier/compression/latency/plan';
import { encodeModel, readModel } from '@espalier/compression/onnx/codec';
import { rewriting } from '@espalier/compression/passes/index';
import { narrow } from '@espalier/compression/recipe/narrow';
import { prepare } from '@espalier/compression/recipe/prepare';
import { runShapes } from '@espalier/compression/runtime/run-shapes';
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
  const rows = rowsOfTimes(planned.map(({ works }) => ({ works, times: times(works), plainUs: null })));
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

t.test('convolutions that the runtime moves to its blocked layout are found in its profile', async (t) => {
  const data = await openDataset(sample.calibrate);
  const feeding = { inputs, preprocess, batchSize: 1, seed: 1, limit: 1 };
  const { graph } = await prepare(await readModel(sample.model), data, feeding, rewriting(profile));
  const feeds = (await firstFeeds(data, feeding, 1))!;
  const times = await nodeTimes(encodeModel(graph), feeds, profile.session, 20);
  const works = worksOf(graph, await runShapes(graph, feeds));
  const rows = rowsOfTimes([{ works, times, plainUs: null }]);
  const convolutions = graph.nodes.filter(({ opType }) => opType === 'Conv').map(({ name }) => name);
  t.ok(convolutions.length > 4);
  t.strictSame(
    rows.filter(({ op }) => op === 'Conv').map(({ node }) => node),
    convolutions,
  );
});

t.test('what the profiler adds to an operator is taken out again', (t) => {
  // Plainly 100 us at full width, of which 60 move with it; the profiler sees half as much again of those.
  const network = (share: number, plainUs: number | null): Timed => ({
    ...{ works: { conv: { op: 'Conv', work: 1e6 * share } }, plainUs },
    times: new Map([['conv', 5 + 90 * share]]),
  });
  const [row] = rowsOfTimes([network(1, 100), network(0.5, 70), network(0.25, 55)]);
  t.ok(Math.abs(row!.usPerWork * 1e6 - 60) < 1e-9, `${row!.usPerWork}`);
  const [profiled] = rowsOfTimes([network(1, 100), network(0.5, null)]);
  t.ok(Math.abs(profiled!.usPerWork * 1e6 - 90) < 1e-9, 'as the profiler has it where nothing else is known');
  const [disturbed] = rowsOfTimes([network(1, 100), network(0.5, 300)]);
  t.ok(disturbed!.usPerWork > 0, 'a latency that grew by itself turns nothing round');
  t.end();
});
