/** Mixed precision: what half precision loses, and what the loss scale saves. */
import path from 'node:path';
import { inspectModel } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { readChecked } from '@espalier/compression/inspect';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { Session } from '@espalier/compression/runtime/session';
import { buildTraining, FED } from '@espalier/compression/train/build';
import { LossScale } from '@espalier/compression/train/half';
import { initialVector } from '@espalier/compression/train/parameters';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import { type TrainOptions, train } from '@espalier/compression/train/train';
import { Tensor } from 'onnxruntime-node';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { tinyGraph } from '../support/tiny.ts';
import { BATCH, CLASSES, NETS } from './nets.ts';

const { input: dims, model } = NETS[0]!;

/** Gradients of a network whose loss is so faint that half precision holds none of them. */
async function gradients(isHalf: boolean, lossScale: number): Promise<Float32Array> {
  const objective = { labels: 1e-6, distillation: 0, hints: [] };
  const training = buildTraining(tinyGraph(model), { batch: BATCH, block: 1, objective, isHalf }, () => []);
  const session = await Session.open(encodeModel(training.graph), 'the training graph');
  const size = BATCH * dims.reduce((product, one) => product * one, 1);
  const vector = initialVector(training.parameters);
  const target = new Float32Array(BATCH * CLASSES);
  for (let row = 0; row < BATCH; row++) target[row * CLASSES + (row % CLASSES)] = 1;
  const { gradients: found } = await session.floats({
    x: new Tensor(
      'float32',
      Float32Array.from({ length: size }, (_, at) => Math.sin(at)),
      [BATCH, ...dims],
    ),
    [FED.target]: new Tensor('float32', target, [BATCH, CLASSES]),
    [FED.parameters]: new Tensor('float32', vector, [vector.length]),
    ...(isHalf && { [FED.lossScale]: new Tensor('float32', Float32Array.of(lossScale), []) }),
  });
  await session.dispose();
  return found!.data as Float32Array;
}

const lengthOf = (vector: Float32Array): number => Math.hypot(...vector);

t.test('gradients that half precision flushes to zero live on when the loss is scaled', async (t) => {
  const exact = await gradients(false, 1);
  const flushed = await gradients(true, 1);
  const scaled = (await gradients(true, 2 ** 12)).map((one) => one / 2 ** 12);
  const error = (found: Float32Array): number => lengthOf(found.map((one, at) => one - exact[at]!)) / lengthOf(exact);
  const zeros = (found: Float32Array): number => found.filter((one, at) => one === 0 && exact[at] !== 0).length;
  t.ok(zeros(flushed) > 0.1 * exact.length, `${zeros(flushed)} of ${exact.length} are gone without a scale`);
  t.ok(zeros(scaled) < 0.01 * exact.length, `${zeros(scaled)} with it`);
  t.ok(error(scaled) < 0.05 && error(scaled) < error(flushed) / 5, `${error(scaled)} against ${error(flushed)}`);
});

t.test('the scale halves at an overflow, whose step is left out, and doubles after 2,000 calm steps', (t) => {
  const scale = new LossScale({ value: 4096, good: 0 });
  const gradient = Float32Array.of(8192, Number.POSITIVE_INFINITY);
  t.notOk(scale.unscale(gradient));
  t.same(scale.state, { value: 2048, good: 0 });
  const calm = Float32Array.of(2048);
  t.ok(scale.unscale(calm));
  t.equal(calm[0], 1);
  for (let step = 1; step < 2000; step++) scale.unscale(calm);
  t.same(scale.state, { value: 4096, good: 0 });
  t.end();
});

t.test('a stage in float16 says what it is, and goes on at its checkpoint with its scale', async (t) => {
  const { preprocess } = await inspectModel(sample.model);
  const original = await readChecked(sample.model);
  const session = await Session.open(sample.model, 'the sample');
  t.teardown(() => session.dispose());
  const data = await openDataset(sample.calibrate.replace('to=256', 'to=128'));
  const file = path.join(t.testdir(), 'half.checkpoint');
  const stage = { epochs: 2, batch: 32, precision: 'float16', lossScale: 2 ** 40 };
  const options: TrainOptions = {
    ...{ data, input: session.inputs[0]!, preprocess, teacher: null, seed: 7, workers: 2 },
    recipe: TrainRecipe.parse({ stages: [stage] }),
  };
  const stop = new AbortController();
  const onProgress = ({ epoch }: { epoch: number }): void => {
    if (epoch === 2) stop.abort(new Error('killed'));
  };
  const whole = await train(original, options);
  t.match(whole.notes.join(), /float16 is simulated: .* as long in float16/);
  await t.rejects(train(original, { ...options, checkpoint: file, signal: stop.signal, onProgress }), {
    message: 'killed',
  });
  const resumed = await train(original, { ...options, checkpoint: file });
  t.same(Buffer.from(encodeModel(resumed.graph)), Buffer.from(encodeModel(whole.graph)));
});
