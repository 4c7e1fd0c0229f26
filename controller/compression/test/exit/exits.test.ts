/** Early exits: where they may stand, when a sample ends, and stages that together are the network. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { inspectModel } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { chooseCuts, findCuts } from '@espalier/compression/exit/cuts';
import { makeExits } from '@espalier/compression/exit/exits';
import { addHeads } from '@espalier/compression/exit/heads';
import { compareStaged, StagedSession } from '@espalier/compression/exit/run-staged';
import { splitStages } from '@espalier/compression/exit/split';
import { chooseThresholds, fitTemperature } from '@espalier/compression/exit/thresholds';
import { readChecked } from '@espalier/compression/inspect';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { runShapes } from '@espalier/compression/runtime/run-shapes';
import { Session } from '@espalier/compression/runtime/session';
import { confidenceOf, endsHere, sha256Hex } from '@espalier/proto';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { distance, noise, run, tinyGraph } from '../support/tiny.ts';

/** Two residual blocks: a cut inside one would lose the other branch. */
const residual = () =>
  tinyGraph({
    inputs: { x: ['N', 4, 8, 8] },
    outputs: ['y'],
    constants: {
      ...{ wa: noise([8, 4, 3, 3], 1, 0.3), wb: noise([8, 8, 3, 3], 2, 0.3), wc: noise([8, 8, 3, 3], 3, 0.3) },
      ...{ wd: noise([8, 8, 3, 3], 4, 0.3), wg: noise([3, 8], 5) },
    },
    nodes: [
      ['Conv', ['x', 'wa'], ['a'], { pads: [1, 1, 1, 1] }],
      ['Relu', ['a'], ['ra']],
      ['Conv', ['ra', 'wb'], ['b'], { pads: [1, 1, 1, 1] }],
      ['Relu', ['b'], ['rb']],
      ['Conv', ['rb', 'wc'], ['c'], { pads: [1, 1, 1, 1] }],
      ['Add', ['ra', 'c'], ['s']],
      ['Relu', ['s'], ['rs']],
      ['Conv', ['rs', 'wd'], ['d'], { pads: [1, 1, 1, 1] }],
      ['Relu', ['d'], ['rd']],
      ['GlobalAveragePool', ['rd'], ['p']],
      ['Flatten', ['p'], ['f'], { axis: 1 }],
      ['Gemm', ['f', 'wg'], ['y'], { transB: 1 }],
    ],
  });
const shapesOf = async (graph: ReturnType<typeof residual>) => {
  const feeds = await firstFeeds(
    await openDataset('random:1'),
    {
      ...{ inputs: [{ name: 'x', type: 'float32', shape: ['N', 4, 8, 8] }], preprocess: null, batchSize: 1, seed: 1 },
    },
    1,
  );
  return runShapes(graph, feeds!);
};

t.test('exits stand only where nothing goes round them', async (t) => {
  const graph = residual();
  const shapes = await shapesOf(graph);
  t.strictSame(
    findCuts(graph, shapes).map(({ value }) => value),
    ['ra', 'rs', 'p'],
    'not inside the residual block; what is behind an activation stands for what is before it',
  );
  t.strictSame(
    chooseCuts(graph, shapes, 1).map(({ value }) => value),
    ['rs'],
  );
});

t.test('the stages together give what the network gave, and the exits what they gave in it', async (t) => {
  const graph = residual();
  const shapes = await shapesOf(graph);
  for (const kind of ['linear', 'conv'] as const) {
    const channels = (value: string): number => shapes.get(value)![1]!;
    const headed = addHeads(graph, ['ra', 'rs'], { kind, classes: 3, channels, seed: 1 });
    const stages = splitStages(headed.graph, headed.exits, await shapesOf(headed.graph));
    t.equal(stages.length, 3);
    const x = noise([2, 4, 8, 8], 9);
    const whole = await run(headed.graph, { x });
    let given = { x } as Record<string, typeof x>;
    for (const [at, stage] of stages.entries()) {
      const made = await run(stage, given);
      const exit = headed.exits[at];
      const logits = exit?.logits ?? 'y';
      t.ok(distance(made[logits]!, whole[logits]!) < 1e-5, `${kind}: ${logits}`);
      if (exit)
        given = { [exit.feature]: { ...x, dims: [2, 8, 8, 8], bytes: new Uint8Array(made[exit.feature]!.buffer) } };
    }
    t.ok(distance(whole.y!, (await run(graph, { x })).y!) < 1e-5, 'the network itself is as it was');
  }
});

t.test(
  'confidence: the largest share, flatter at a higher temperature; a logit that is no number ends nothing',
  async (t) => {
    t.ok(Math.abs(confidenceOf([0, Math.log(3)], 1) - 0.75) < 1e-9);
    t.ok(confidenceOf([0, Math.log(3)], 4) < 0.6);
    const stage = { threshold: 0.7, temperature: 1, feature: 'f' };
    t.equal(endsHere(stage, [0, Math.log(3)]), true);
    t.equal(endsHere({ ...stage, threshold: 0.8 }, [0, Math.log(3)]), false);
    t.equal(endsHere({ ...stage, threshold: null }, [0, 100]), false);
    t.equal(endsHere(stage, [Number.NaN, 1]), false);
    t.equal(endsHere({ ...stage, feature: null, threshold: 0 }, [0, 0]), true);
  },
);

t.test('thresholds: the cheapest within the allowed loss', async (t) => {
  // Ten samples of class 0; the exit is surely right on six, unsurely wrong on four; the end is always right.
  const row = (sure: boolean): number[] => (sure ? [5, 0] : [0, 0.5]);
  const logits = Float32Array.from(Array.from({ length: 10 }, (_, at) => row(at < 6)).flat());
  const last = Float32Array.from(Array.from({ length: 10 }, () => [3, 0]).flat());
  const problem = {
    exits: [{ logits, temperature: 1 }],
    last,
    labels: new Int32Array(10),
    costs: [1, 4],
    wholeRight: new Uint8Array(10).fill(1),
  };
  const strict = chooseThresholds({ ...problem, maxDrop: 0 });
  t.strictSame([strict.histogram, strict.accuracy, strict.meanCost], [[6, 4], 100, 2.2]);
  const loose = chooseThresholds({ ...problem, maxDrop: 70 });
  t.strictSame([loose.histogram, loose.accuracy, loose.meanCost], [[10, 0], 60, 1]);
  const none = chooseThresholds({ ...problem, costs: [5, 4], maxDrop: 0 });
  t.strictSame(none.thresholds, [null], 'an exit that costs more than the end is never taken');
});

t.test('the temperature is found again that logits were divided by', async (t) => {
  // Labels drawn in the shares that softmax(z) says, logits written three times too large.
  const [logits, labels]: [number[], number[]] = [[], []];
  for (let at = 0; at < 400; at++) {
    logits.push(3 * Math.log(3), 0);
    labels.push(at % 4 === 0 ? 1 : 0);
  }
  t.ok(Math.abs(fitTemperature(Float32Array.from(logits), labels) - 3) < 0.01);
});

t.test('a real network with an exit: written, run stage by stage, held against the whole', async (t) => {
  const { preprocess, model } = { ...(await inspectModel(sample.model)), model: sample.model };
  const whole = await Session.open(model, 'the sample');
  t.teardown(() => whole.dispose());
  const [input] = whole.inputs;
  const options = {
    ...{ model: 'sample', input: input!, preprocess, seed: 1, workers: 2, at: 2, head: 'linear' as const },
    ...{ epochs: 3, jointEpochs: 1, maxDrop: 3, calibration: null },
    data: await openDataset(sample.calibrate.replace('to=256', 'to=320')),
  };
  const made = await makeExits(await readChecked(model), options);
  t.equal(made.stages.length, 3);
  t.ok(made.calibration.accuracy >= made.calibration.wholeAccuracy - 3, 'the allowed drop is kept');
  t.ok(made.calibration.exitAccuracy[1]! > 25, `the exit has learnt: ${made.calibration.exitAccuracy}`);
  const folder = t.testdir();
  const stages = made.stages.map((bytes, at) => {
    writeFileSync(path.join(folder, `stage-${at}.onnx`), bytes);
    return { file: `stage-${at}.onnx`, sha256: sha256Hex(bytes), ...made.described[at]! };
  });
  const write = (value: object): void => writeFileSync(path.join(folder, 'stages.json'), JSON.stringify(value));
  const written = { version: 1, model: 'sample', classes: made.classes, stages };
  write({ ...written, stages: stages.map((stage, at) => (at === 0 ? { ...stage, threshold: 0 } : stage)) });
  const judged = await openDataset(sample.evaluate.replace('to=500', 'to=60'));
  const feeding = { inputs: [input!], preprocess, batchSize: 1, seed: 1 };
  const eager = await StagedSession.open(folder);
  t.strictSame((await compareStaged(eager, whole, judged, feeding)).histogram, [60, 0, 0], 'a threshold of 0 ends all');
  await eager.dispose();
  write(written);
  const staged = await StagedSession.open(folder);
  const report = await compareStaged(staged, whole, judged, feeding);
  t.equal(
    report.histogram.reduce((sum, count) => sum + count),
    60,
  );
  t.ok(report.meanMacs <= stages[2]!.macs && report.meanUs > 0 && report.wholeUs > 0);
  await staged.dispose();
  writeFileSync(path.join(folder, 'stage-1.onnx'), encodeModel(residual()));
  await t.rejects(StagedSession.open(folder), { code: 'ESP_STAGES_UNFIT' }, 'a stage of another network');
  write({ version: 1 });
  await t.rejects(StagedSession.open(folder), { code: 'ESP_STAGES_UNFIT' });
  const named = { ...options, at: ['there is none'] };
  await t.rejects(makeExits(await readChecked(model), named), { code: 'ESP_EXIT_UNFIT' });
});
