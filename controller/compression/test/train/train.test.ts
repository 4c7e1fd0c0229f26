/** Trainings of the sample model, with real workers on real images. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { inspectModel } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { readChecked } from '@espalier/compression/inspect';
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { floatsOf, floatTensor } from '@espalier/compression/onnx/tensor';
import { compare } from '@espalier/compression/recipe/accuracy';
import { Session } from '@espalier/compression/runtime/session';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import { type TrainOptions, train } from '@espalier/compression/train/train';
import t from 'tap';
import { sample } from '../support/sample.ts';

const { preprocess } = await inspectModel(sample.model);
const original = await readChecked(sample.model);
const session = await Session.open(sample.model, 'the sample');
const [input] = session.inputs;
const learnt = await openDataset(sample.calibrate.replace('to=256', 'to=384'));
const judged = await openDataset(sample.evaluate);
t.teardown(() => session.dispose());

/** A copy of the sample with every third filter of its first convolutions silenced: it has to learn again. */
function damaged(): Graph {
  const graph = cloneGraph(original);
  const convolutions = graph.nodes.filter(({ opType }) => opType === 'Conv').slice(0, 12);
  for (const conv of convolutions) {
    const tensor = graph.constantOf(conv, 1)!;
    const values = floatsOf(tensor)!;
    const size = values.length / tensor.dims[0]!;
    for (let filter = 0; filter < tensor.dims[0]!; filter += 3) values.fill(0, filter * size, (filter + 1) * size);
    graph.constants.set(conv.inputs[1]!, floatTensor(tensor.dims, values));
  }
  return graph;
}

async function accuracyOf(graph: Graph): Promise<number> {
  const own = await Session.open(encodeModel(graph), 'the trained sample');
  const { top1 } = await compare(own, own, judged, { inputs: [input!], preprocess, batchSize: 32, seed: 1 });
  await own.dispose();
  return top1!;
}

const optionsOf = (recipe: object, more: Partial<TrainOptions> = {}): TrainOptions => ({
  ...{ data: learnt, input: input!, preprocess, teacher: null, seed: 7, workers: 2 },
  recipe: TrainRecipe.parse(recipe),
  ...more,
});

const oneStage = (stage: object, more: object = {}) => ({ stages: [{ epochs: 1, batch: 32, ...stage }], ...more });

t.test('a damaged network recovers, more with its teacher; equal seeds give equal weights', async (t) => {
  const start = damaged();
  const before = await accuracyOf(start);
  const recipe = oneStage({ epochs: 2, optimizer: { rate: 0.02 }, distill: {} }, { freshNorm: false });
  const first = await train(start, optionsOf(recipe, { teacher: original }));
  const after = await accuracyOf(first.graph);
  t.ok(before < 60, `${before} % when damaged`);
  t.ok(after > before + 20, `${after} % after two epochs`);
  t.equal(first.history.length, 2);
  t.ok(first.history[1]!.loss < first.history[0]!.loss, 'the loss goes down');
  const second = await train(start, optionsOf(recipe, { teacher: original }));
  t.same(Buffer.from(encodeModel(second.graph)), Buffer.from(encodeModel(first.graph)), 'the same weights again');
});

t.test('a training that was killed goes on at its checkpoint and ends as if it had not been', async (t) => {
  const file = path.join(t.testdir(), 'training.checkpoint');
  const recipe = oneStage({ epochs: 2, optimizer: { average: 0.9 } });
  const whole = await train(original, optionsOf(recipe));
  const stop = new AbortController();
  const killed = train(
    original,
    optionsOf(recipe, {
      ...{ checkpoint: file, signal: stop.signal },
      onProgress: ({ epoch }) => {
        if (epoch === 2) stop.abort(new Error('killed'));
      },
    }),
  );
  await t.rejects(killed, { message: 'killed' });
  t.ok(statSync(file).size > 0, 'the first epoch is kept');
  const resumed = await train(original, optionsOf(recipe, { checkpoint: file }));
  t.same(Buffer.from(encodeModel(resumed.graph)), Buffer.from(encodeModel(whole.graph)));
  t.equal(resumed.history.length, 2, 'with the history of both epochs');
  const other = await train(original, optionsOf(oneStage({}), { checkpoint: file }));
  t.equal(other.history.length, 1, 'another training does not take it');
});

t.test('a quantized stage goes on at its checkpoint too', async (t) => {
  const file = path.join(t.testdir(), 'quantized.checkpoint');
  const recipe = oneStage({ epochs: 2, quantize: {} });
  const stop = new AbortController();
  const onProgress = ({ epoch }: { epoch: number }): void => {
    if (epoch === 2) stop.abort(new Error('killed'));
  };
  const killed = train(original, optionsOf(recipe, { checkpoint: file, signal: stop.signal, onProgress }));
  await t.rejects(killed, { message: 'killed' });
  const whole = await train(original, optionsOf(recipe));
  const resumed = await train(original, optionsOf(recipe, { checkpoint: file }));
  t.same(Buffer.from(encodeModel(resumed.graph)), Buffer.from(encodeModel(whole.graph)));
});

t.test('a checkpoint that cannot be written does not end the training', async (t) => {
  const { notes, history } = await train(original, optionsOf(oneStage({}), { checkpoint: '/proc/none/checkpoint' }));
  t.equal(history.length, 1);
  t.match(notes.join(), /A checkpoint could not be written/);
});

t.test('fresh norms leave the network as it is, and fold away', async (t) => {
  const still = await train(original, optionsOf(oneStage({ optimizer: { rate: 1e-12 } })));
  t.notOk(
    still.graph.nodes.some(({ opType }) => opType === 'BatchNormalization'),
    'no norm is left',
  );
  const folded = await accuracyOf(still.graph);
  t.ok(Math.abs(folded - (await accuracyOf(original))) < 3, `${folded} % with statistics of other images`);
});

t.test('quantization-aware training ends with a network that rounding hurts less', async (t) => {
  const recipe = (rate: number) =>
    oneStage({ optimizer: { rate }, quantize: { weightBits: 3, activationBits: 4 }, distill: {} });
  const untrained = await train(original, optionsOf(recipe(1e-12), { teacher: original }));
  const trained = await train(original, optionsOf(recipe(0.003), { teacher: original }));
  const [before, after] = [await accuracyOf(untrained.simulated!), await accuracyOf(trained.simulated!)];
  t.ok(after > before, `${before} % before, ${after} % after`);
  t.notOk(
    trained.graph.nodes.some(({ domain }) => domain === 'espalier'),
    'the float network has no fake quantizers',
  );
});

t.test('hints: features through an adapter, and attention', async (t) => {
  const relu = original.nodes.filter(({ opType }) => opType === 'Relu')[4]!.outputs[0]!;
  const hints = [
    { kind: 'feature', student: relu, teacher: relu, weight: 1 },
    { kind: 'attention', student: relu, teacher: relu, weight: 10 },
  ];
  const start = damaged();
  const stage = { epochs: 2, optimizer: { rate: 0.01 }, distill: { weight: 0.5, hints } };
  const { history } = await train(start, optionsOf(oneStage(stage, { freshNorm: false }), { teacher: original }));
  t.ok(history.at(-1)!.loss < history[0]!.loss, history.map(({ loss }) => loss.toFixed(3)).join());
});

t.test('only the head is trained when the recipe says so', async (t) => {
  const { graph } = await train(original, optionsOf(oneStage({ train: 'head' }, { freshNorm: false })));
  const changed = [...original.constants].filter(([name, { bytes }]) => {
    const now = graph.constants.get(name);
    return now && !Buffer.from(bytes).equals(Buffer.from(now.bytes));
  });
  const head = original.nodes.find(({ opType }) => opType === 'Gemm')!;
  t.same(changed.map(([name]) => name).sort(), head.inputs.slice(1).sort());
});

t.test('what cannot be trained is refused with its reason', async (t) => {
  const tooMany = { ...learnt, labels: learnt.labels!.map((label) => label + 5) };
  const unlabelled = { ...learnt, labels: null, labelled: false };
  await t.rejects(train(original, optionsOf(oneStage({}), { data: tooMany })), { code: 'ESP_DATA_UNFIT' });
  await t.rejects(train(original, optionsOf(oneStage({}), { data: unlabelled })), { code: 'ESP_DATA_UNFIT' });
  const wild = oneStage({ optimizer: { rate: 1e30, clipNorm: 0, warmup: 0 } });
  await t.rejects(train(original, optionsOf(wild)), { code: 'ESP_TRAINING_DIVERGED' });
  const diverging = optionsOf({
    stages: [
      { epochs: 1, batch: 64 },
      { epochs: 2, batch: 64, optimizer: { rate: 1e30, clipNorm: 0 } },
    ],
  });
  await t.rejects(train(original, diverging), { code: 'ESP_TRAINING_DIVERGED' });
});
