/** Stages that the controller's compression writes, run by the agent: rows of a batch each end where they would alone. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { partRows, takeRows } from '@espalier/agent/runtime/staged/rows';
import { StagedSession } from '@espalier/agent/runtime/staged/staged-session';
import { InferenceClient } from '@espalier/client';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { findCuts } from '@espalier/compression/exit/cuts';
import { addHeads } from '@espalier/compression/exit/heads';
import { splitStages } from '@espalier/compression/exit/split';
import { readChecked } from '@espalier/compression/inspect';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { prepare } from '@espalier/compression/recipe/prepare';
import { runShapes } from '@espalier/compression/runtime/run-shapes';
import { confidenceOf, SessionOptions, sha256Hex } from '@espalier/proto';
import t from 'tap';
import { root, start } from '../support/process.ts';

const ROWS = 6;
const input = { name: 'image', type: 'float32', shape: ['N', 1, 28, 28] };
const feeding = { inputs: [input], preprocess: null, batchSize: ROWS, seed: 3 };
const options = SessionOptions.parse({});

/** The sample with one exit, on disk, with this threshold. */
async function written(folder: string, threshold: number | null): Promise<void> {
  const data = await openDataset(`random:${ROWS}`);
  const { graph } = await prepare(await readChecked(path.join(root, 'deploy/sample/fashion-ds.onnx')), data, feeding);
  const feeds = (await firstFeeds(data, feeding, 1))!;
  const shapes = await runShapes(graph, feeds);
  const cut = findCuts(graph, shapes)[2]!.value;
  const channels = (value: string): number => shapes.get(value)![1]!;
  const headed = addHeads(graph, [cut], { kind: 'linear', classes: 10, channels, seed: 1 });
  const stages = splitStages(headed.graph, headed.exits, await runShapes(headed.graph, feeds)).map((stage, at) => {
    const bytes = encodeModel(stage);
    const file = `stage-${at}.onnx`;
    writeFileSync(path.join(folder, file), bytes);
    const exit = headed.exits[at];
    return {
      ...{ file, sha256: sha256Hex(bytes), input: stage.inputs[0]!.name, temperature: 1, macs: at },
      ...{ logits: exit?.logits ?? graph.outputs[0]!.name, feature: exit?.feature ?? null },
      threshold: exit ? threshold : 0,
    };
  });
  const model = { version: 1, model: 'sample', classes: 10, stages };
  writeFileSync(path.join(folder, 'stages.json'), JSON.stringify(model));
}

const images = {
  image: {
    ...{ type: 'float32', shape: [ROWS, 1, 28, 28] },
    data: Float32Array.from({ length: ROWS * 784 }, (_, at) => Math.sin(at * (1 + Math.floor(at / 784)))),
  },
};

t.test('rows end where they are sure, in a batch as alone; the histogram counts them', async (t) => {
  const folder = t.testdir();
  await written(folder, 1);
  const probe = StagedSession.open(folder, options);
  const late = probe.run(images);
  t.strictSame(late.exits, [1, 1, 1, 1, 1, 1], 'nobody is as sure as 1');
  probe.close();
  await written(folder, 0);
  const first = StagedSession.open(folder, options);
  const early = first.run(images);
  t.strictSame(early.exits, [0, 0, 0, 0, 0, 0]);
  first.close();
  const confidences = Array.from({ length: ROWS }, (_, row) =>
    confidenceOf(early.logits.data.subarray(row * 10, row * 10 + 10) as Float32Array, 1),
  );
  const middle = [...confidences].sort((a, b) => a - b)[ROWS / 2]!;
  await written(folder, middle);
  const session = StagedSession.open(folder, options);
  t.teardown(() => session.close());
  const mixed = session.run(images);
  t.strictSame(
    mixed.exits,
    confidences.map((confidence) => (confidence >= middle ? 0 : 1)),
  );
  t.strictSame(session.histogram, [ROWS / 2, ROWS / 2]);
  for (let row = 0; row < ROWS; row++) {
    const wanted = takeRows((mixed.exits[row] === 0 ? early : late).logits, [row]).data as Float32Array;
    const found = takeRows(mixed.logits, [row]).data as Float32Array;
    t.ok(
      found.every((value, at) => Math.abs(value - wanted[at]!) < 1e-4),
      `row ${row}`,
    );
  }
});

t.test('a stage that is not the listed one is not run', async (t) => {
  const folder = t.testdir();
  await written(folder, 0.5);
  writeFileSync(path.join(folder, 'stage-1.onnx'), 'other');
  t.throws(() => StagedSession.open(folder, options), { code: 'ESP_MODEL_LOAD_FAILED' });
});

t.test('parting rows: logits that are no numbers go on, the last stage ends all', async (t) => {
  const stage = {
    file: 'f',
    sha256: '',
    input: 'x',
    logits: 'l',
    feature: 'f',
    threshold: 0.9,
    temperature: 1,
    macs: 0,
  };
  const logits = { type: 'float32', shape: [3, 2], data: Float32Array.of(9, 0, Number.NaN, 0, 0, 0) };
  t.strictSame(partRows(stage, logits), { ending: [0], going: [1, 2] });
  t.strictSame(partRows({ ...stage, feature: null }, logits), { ending: [0, 1, 2], going: [] });
});

t.test(
  'served from its folder: one client sees the logits and the stage, stats and metrics count the exits',
  async (t) => {
    const folder = t.testdir();
    await written(folder, 0);
    const flags = ['--name', 'm', '--port', '0', '--grpc-port', '0', '--tune-limit-s', '0'];
    const agent = start('agent/dist/main.js', ['serve', folder, ...flags]);
    t.teardown(() => agent.stop());
    const [, url = ''] = await agent.waitFor(/at (http:\/\/[\d.:]+)\/v2\/models/);
    const client = new InferenceClient(url);
    t.teardown(() => client.close());
    const { data } = images.image;
    const alone = StagedSession.open(folder, options);
    const wanted = alone.run({ image: { ...images.image, shape: [1, 1, 28, 28], data: data.slice(0, 784) } });
    alone.close();
    const ask = () => client.infer('m', [{ name: 'image', shape: [1, 1, 28, 28], data: data.slice(0, 784) }]);
    const outputs = await ask();
    await ask();
    t.same(outputs.find(({ name }) => name === 'exit_stage')?.data, Int32Array.of(0));
    t.same(outputs.find(({ name }) => name !== 'exit_stage')?.data, wanted.logits.data);
    const stats = (await (await fetch(`${url}/v2/models/m/stats`)).json()) as {
      model_stats: { exit_stats: unknown }[];
    };
    t.strictSame(stats.model_stats[0]?.exit_stats, [{ stage: 0, count: 2 }]);
    t.match(await (await fetch(`${url}/metrics`)).text(), 'espalier_exits_total{stage="0"} 2');
  },
);
