/** Builds within budgets: a net in which one convolution makes nearly all of the noise. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant } from '@espalier/compression';
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { encodeModel, readModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { Type } from '@espalier/compression/onnx/tensor';
import { layerNoise } from '@espalier/compression/quantize/layer-noise';
import { outputsOf } from '@espalier/compression/quantize/search';
import { NO_BUDGETS } from '@espalier/compression/search/budgets';
import type { Point } from '@espalier/compression/search/points';
import t from 'tap';
import { batchesOf, quantizeTiny } from '../support/quantized.ts';
import { floats, noise, tinyGraph } from '../support/tiny.ts';

const profiles = await loadProfiles();
/** Fits no machine that tests run on: nothing is timed, and the outcome is the same everywhere. */
const foreign = profileById(process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod', profiles);

/** Channel 0 of what `hard` makes is sixty times the others, so that one scale flushes them. */
function outlierNet(): Graph {
  const wild = noise([8, 8, 3, 3], 2, 0.2);
  const weights = new Float32Array(wild.bytes.slice().buffer);
  for (let at = 0; at < 72; at++) weights[at]! *= 60;
  const reader = noise([4, 8, 1, 1], 4, 1);
  const read = new Float32Array(reader.bytes.slice().buffer);
  for (let filter = 0; filter < 4; filter++) read[filter * 8]! *= 0.002;
  return tinyGraph({
    inputs: { x: ['N', 3, 12, 12] },
    outputs: ['y'],
    constants: {
      w0: noise([8, 3, 3, 3], 1, 0.5),
      w1: floats([8, 8, 3, 3], weights),
      w2: floats([4, 8, 1, 1], read),
      w3: noise([4, 4, 3, 3], 5, 0.4),
    },
    nodes: [
      ['Conv', ['x', 'w0'], ['a'], { pads: [1, 1, 1, 1] }],
      ['Relu', ['a'], ['ra']],
      ['Conv', ['ra', 'w1'], ['b'], { pads: [1, 1, 1, 1] }],
      ['Sigmoid', ['b'], ['sb']],
      ['Mul', ['b', 'sb'], ['mb']],
      ['Conv', ['mb', 'w2'], ['c'], {}],
      ['Conv', ['c', 'w3'], ['d'], { pads: [1, 1, 1, 1] }],
      ['GlobalAveragePool', ['d'], ['p']],
      ['Flatten', ['p'], ['y']],
    ],
    names: ['first', 'relu', 'hard', 'sig', 'mul', 'reader', 'last', 'pool', 'flat'],
  });
}

const samples = Array.from({ length: 16 }, (_, at) => ({ x: noise([1, 3, 12, 12], 100 + at) }));

t.test('noise by layer in one pass is the noise of the layers run apart', async (t) => {
  const { graph, prepared } = await quantizeTiny(outlierNet(), samples);
  const batches = batchesOf(samples);
  const values = ['ra', 'c', 'y'];
  const found = await layerNoise(prepared, graph, values, batches);
  const [expected, actual] = [await outputsOf(prepared, batches), await outputsOf(graph, batches)];
  let [signal, wrong] = [0, 0];
  for (const [at, { y }] of expected.entries()) {
    for (const [i, value] of y!.entries()) {
      signal += value ** 2;
      wrong += (value - actual[at]!.y![i]!) ** 2;
    }
  }
  t.ok(Math.abs(found.get('y')! / (wrong / signal) - 1) < 0.01, `${found.get('y')} against ${wrong / signal}`);
});

t.test('within budgets', async (t) => {
  const dir = t.testdir();
  const modelPath = path.join(dir, 'net.onnx');
  writeFileSync(modelPath, encodeModel(outlierNet()));
  const build = (parts: object) =>
    buildVariant({
      ...{
        modelPath,
        modelName: 'net',
        profile: foreign,
        recipe: 'int8',
        calibrate: 'random:128',
        evaluate: 'random:16',
      },
      ...{ preprocess: null, outDir: path.join(dir, 'out'), ...parts },
    });

  t.test('an accuracy that int8 misses is reached with few nodes in float, and each says what it brings', async (t) => {
    const seen: Point[] = [];
    const fronts: number[] = [];
    const { report } = await build({
      budgets: { ...NO_BUDGETS, maxDrop: 15 },
      onPoint: (point: Point, front: readonly Point[]) => {
        seen.push(point);
        fronts.push(front.length);
      },
    });
    const { points, met, why, basis, n } = report.search!;
    const chosen = points.find(({ isChosen }) => isChosen)!;
    const [plain] = points.filter(({ precision, floatNodes }) => precision === 'int8' && floatNodes.length === 0);
    t.ok(plain!.drop > 15, `int8 alone changes ${plain!.drop} %`);
    t.ok(met && chosen.drop <= 15, why);
    t.strictSame(
      [chosen.precision, chosen.floatNodes],
      ['int8', ['mul', 'reader']],
      'both ends of the value that is hard',
    );
    t.ok(chosen.sqnrDb > plain!.sqnrDb + 1);
    t.strictSame([basis, n], ['agreement', 32], 'the samples that nothing was fitted to');
    t.equal(seen.length, points.length - 1, 'every build but float’s own was told');
    t.ok(fronts.at(-1)! >= 2);
    t.ok(report.floatNodes.some(({ reason }) => /noise away, for .* of float’s time \(multiply-acc/.test(reason)));
    t.match(why, /calibration samples/);
  });

  t.test(
    'hardware with 16-bit activations gives them to the few nodes that need them, and stays integer',
    async (t) => {
      const { report } = await build({
        profile: profileById('qualcomm-htp', profiles),
        budgets: { ...NO_BUDGETS, maxDrop: 15 },
      });
      const { points, met, why } = report.search!;
      const chosen = points.find(({ isChosen }) => isChosen)!;
      const [plain] = points.filter(({ precision, wideNodes }) => precision === 'int8' && wideNodes.length === 0);
      t.ok(plain!.drop > 15, `int8 alone changes ${plain!.drop} %`);
      t.ok(met && chosen.drop <= 15, why);
      t.ok(chosen.wideNodes.length > 0 && chosen.wideNodes.length < 4, `${chosen.wideNodes}`);
      t.strictSame(chosen.floatNodes, []);
      t.match(why, /int8 with \d nodes? at 16 bits was taken/);
      const wide = report.nodes.filter(({ precision }) => precision === 'int8-16');
      t.strictSame(wide.map(({ name }) => name).sort(), [...chosen.wideNodes].sort());
      t.match(wide[0]!.reason, /at 16 bits .* noise away/);
      const graph = await readModel(path.join(dir, 'out', 'model.onnx'));
      const types = graph.nodes
        .filter(({ opType }) => opType === 'QuantizeLinear')
        .map((node) => graph.constantOf(node, 2)!.type);
      t.ok(types.includes(Type.UINT16) && types.includes(Type.INT8), 'both widths are in the file');
    },
  );

  t.test('without time the plain int8 build is measured, and nothing else', async (t) => {
    const { report } = await build({ budgets: { ...NO_BUDGETS, maxDrop: 0 }, minutes: 0 });
    t.strictSame(
      report.search!.points.map(({ precision, floatNodes }) => [precision, floatNodes.length]),
      [
        ['float', 0],
        ['int8', 0],
      ],
    );
  });

  t.test('a time that cannot be measured here is said to be so', async (t) => {
    const { report } = await build({ budgets: { ...NO_BUDGETS, speedup: 1.5 }, minutes: 1 });
    t.equal(report.search!.met, false);
    t.match(report.search!.why, /not one of the profile/);
  });

  t.test('an aborted search stops with the reason', async (t) => {
    const stop = new AbortController();
    const running = build({
      ...{ budgets: { ...NO_BUDGETS, maxDrop: 0 }, signal: stop.signal },
      onPoint: () => stop.abort(new Error('stopped by hand')),
    });
    await t.rejects(running, /stopped by hand/);
  });
});
