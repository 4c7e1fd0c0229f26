/** Models as old exporters wrote them, and models with little to quantize, through the whole recipe. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, inspectModel, loadProfiles, profileById } from '@espalier/compression';
import { encodeModel } from '@espalier/compression/onnx/codec';
import t from 'tap';
import { ints, noise, type TinyModel, tinyGraph } from '../support/tiny.ts';

const profile = {
  ...profileById('arm64-dotprod', await loadProfiles()),
  match: { features: ['none'], compatible: [], accelerator: null, runtime: null },
};

const build = async (dir: string, model: TinyModel) => {
  const modelPath = path.join(dir, 'm.onnx');
  writeFileSync(modelPath, encodeModel(tinyGraph(model)));
  const report = await buildVariant({
    modelPath,
    modelName: 'm',
    profile,
    recipe: 'int8',
    calibrate: 'random:16',
    evaluate: null,
    preprocess: null,
    outDir: path.join(dir, 'out'),
  });
  return { ...report, modelPath };
};

const image = { inputs: { x: ['N', 4, 8, 8] as (number | string)[] }, outputs: ['y'] };

t.test('a model of opset 9 is raised for scales per channel, compared, and said', async (t) => {
  const { kept, report, modelPath } = await build(t.testdir(), {
    ...image,
    opset: 9,
    ir: 4,
    constants: { w: noise([4, 4, 3, 3], 1) },
    nodes: [
      ['Conv', ['x', 'w'], ['c']],
      ['Clip', ['c'], ['y'], { min: { float: 0 }, max: { float: 6 } }],
    ],
  });
  t.equal(kept, 'int8');
  t.ok(report.sqnrDb!.y! > 25);
  t.ok(report.notes.some((note) => /opset 9 -> 13/.test(note)));
  t.match((await inspectModel(modelPath)).warnings[0], /Opset 9/);
});

t.test('a model that cannot be raised gets one scale a tensor, and the reason', async (t) => {
  const { kept, report } = await build(t.testdir(), {
    ...image,
    opset: 11,
    ir: 6,
    constants: { w: noise([4, 4, 3, 3], 1) },
    nodes: [
      ['Conv', ['x', 'w'], ['c']],
      ['Softmax', ['c'], ['y'], { axis: 1 }],
    ],
  });
  t.equal(kept, 'int8');
  t.ok(report.notes.some((note) => /could not be raised/.test(note)));
  t.match(report.floatNodes, [{ op: 'Softmax', reason: /uneven/ }]);
});

t.test('a model with nothing to quantize is kept in float, and the note says why', async (t) => {
  const { kept, report } = await build(t.testdir(), { ...image, nodes: [['HardSwish', ['x'], ['y']]] });
  t.equal(kept, 'float');
  t.ok(report.notes.some((note) => /No node of the model has an int8 kernel/.test(note)));
});

t.test('Conv, GRU, Gemm: Conv and Gemm are int8, the GRU stays float and is named', async (t) => {
  const { report } = await build(t.testdir(), {
    inputs: { x: ['N', 3, 4, 4] },
    outputs: ['y'],
    constants: {
      w: noise([5, 3, 3, 3], 1),
      gw: noise([1, 12, 20], 2),
      gr: noise([1, 12, 4], 3),
      v: noise([4, 3], 4),
      zero: ints([0]),
    },
    nodes: [
      ['Conv', ['x', 'w'], ['c']],
      ['Flatten', ['c'], ['f'], { axis: 1 }],
      ['Unsqueeze', ['f', 'zero'], ['s']],
      ['GRU', ['s', 'gw', 'gr'], ['', 'h'], { hidden_size: 4 }],
      ['Squeeze', ['h', 'zero'], ['q']],
      ['Gemm', ['q', 'v'], ['y']],
    ],
  });
  t.match(
    report.floatNodes.find((node) => node.op === 'GRU'),
    { reason: /GRU/ },
  );
  t.strictSame(report.nodes.filter((node) => node.precision === 'int8').length >= 2, true);
});
