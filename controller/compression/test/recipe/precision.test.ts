/** Builds in other precisions, by name and by search, with their proof. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, loadProfiles, profileById } from '@espalier/compression';
import { encodeModel, readModel } from '@espalier/compression/onnx/codec';
import { reportPage } from '@espalier/compression/report/html';
import { summarize } from '@espalier/compression/report/summary';
import { NO_BUDGETS } from '@espalier/compression/search/budgets';
import type { Point } from '@espalier/compression/search/points';
import { Report } from '@espalier/proto';
import t from 'tap';
import { attention, mlp, recurrent } from '../precision/nets.ts';
import { sample } from '../support/sample.ts';
import { floats, operators, tinyGraph } from '../support/tiny.ts';

const profiles = await loadProfiles();
const foreign = profileById(process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod', profiles);
const dir = t.testdir();
const nets = { mlp: mlp(), attention: attention(), lstm: recurrent('LSTM'), gru: recurrent('GRU') };
for (const [name, graph] of Object.entries(nets)) writeFileSync(path.join(dir, `${name}.onnx`), encodeModel(graph));

const build = (name: string, parts: object) =>
  buildVariant({
    ...{ modelPath: path.join(dir, `${name}.onnx`), modelName: name, profile: foreign, recipe: 'int8' },
    ...{ calibrate: null, evaluate: 'random:16', preprocess: null, outDir: path.join(dir, 'out'), ...parts },
  });

t.test('by name, without calibration data, with the same proof as int8', async (t) => {
  for (const [precision, least] of [
    ['w8', 35],
    ['w4', 14],
    ['fp16', 50],
    ['dynamic', 35],
  ] as const) {
    const { report, files, kept } = await build('attention', { precision });
    t.match(report, { method: precision }, precision);
    t.ok(report.sqnrDb!.y! > least, `${precision}: ${report.sqnrDb!.y!.toFixed(1)} dB`);
    t.ok(report.sizeRatio > 1.7);
    t.equal(kept, 'int8', 'a variant was kept');
    t.ok(report.passes.some(({ name, applied }) => name === precision && applied > 0));
    t.match(report.commands[0], new RegExp(`--precision ${precision}`));
    t.strictSame(Report.parse(JSON.parse(JSON.stringify(report))), report);
    t.match(files[0], { path: 'model.onnx', bytes: report.variant.sizeBytes });
  }
});

t.test('what a precision cannot do is told, and float kept', async (t) => {
  const { report } = await build('gru', { precision: 'dynamic' });
  t.match(summarize(report), { method: 'float', sizeRatio: 1 });
  t.ok(report.notes.some((note) => /dynamic does nothing for this model.*no dynamic GRU/.test(note)));
});

t.test('16-bit activations are far nearer to float than 8-bit ones', async (t) => {
  const profile = profileById('qualcomm-htp', profiles);
  const given = { ...{ modelPath: sample.model, profile }, calibrate: 'random:32', evaluate: 'random:16' };
  const wide = await build('fashion-ds', { ...given, precision: 'int8-16' });
  const graph = await readModel(path.join(dir, 'out', 'model.onnx'));
  t.equal(graph.opset('com.microsoft'), 1, 'Q and DQ of 16 bits are the runtime’s own before opset 21');
  const narrow = await build('fashion-ds', given);
  t.strictSame([wide.report.method, narrow.report.method], ['int8-16', 'int8']);
  t.ok(
    wide.report.sqnrDb!.logits! > narrow.report.sqnrDb!.logits! + 6,
    JSON.stringify([wide.report.sqnrDb, narrow.report.sqnrDb]),
  );
});

t.test('auto tries what the profile has, and the smallest within the accuracy is found', async (t) => {
  const seen: Point[] = [];
  const { report } = await build('mlp', {
    ...{ precision: 'auto', calibrate: 'random:64', budgets: { ...NO_BUDGETS, maxDrop: 10, sizeRatio: 2.9 } },
    onPoint: (point: Point) => seen.push(point),
  });
  t.strictSame([...new Set(seen.map(({ precision }) => precision))].sort(), ['dynamic', 'fp16', 'int8', 'w4', 'w8']);
  t.equal(report.search!.met, true, report.search!.why);
  t.ok(report.sizeRatio >= 2.9);
  const { front } = summarize(report);
  t.ok(front!.some(({ chosen }) => chosen));
  const page = reportPage(report);
  t.match(page, /Builds that were tried/);
  t.match(page, /<circle class="chosen"/);
  t.match(page, /<line class="budget"/, 'the budgets are lines of the charts');
  t.notMatch(page, /<script|https?:\/\/|NaN|undefined|Infinity/);
});

t.test('a search without time, or on hardware with float only, ends with what there is', async (t) => {
  const budgets = { ...NO_BUDGETS, sizeRatio: 2 };
  const quick = await build('mlp', { precision: 'w8', budgets, minutes: 0 });
  t.match(quick.report, { method: 'w8', search: { met: true } });
  const plain = { ...{ precision: 'auto', calibrate: 'random:16' }, profile: profileById('hailo-8', profiles) };
  const { report } = await build('mlp', plain);
  t.equal(report.method, 'float');
  t.ok(report.notes.some((note) => /has no int8/.test(note)));
});

t.test('a precision that the runtime refuses is told, and float kept', async (t) => {
  // Range has no half form, and whether one counts in floats only the runtime knows.
  const net = tinyGraph({
    inputs: { x: ['N', 8] },
    outputs: ['y'],
    constants: { limit: floats([], [8]), start: floats([], [0]), step: floats([], [1]) },
    nodes: [
      ['ReduceMax', ['x'], ['top'], { keepdims: 0 }],
      ['Sub', ['top', 'top'], ['zero']],
      ['Add', ['zero', 'limit'], ['end']],
      ['Range', ['start', 'end', 'step'], ['r']],
      ['Add', ['x', 'r'], ['y']],
    ],
  });
  writeFileSync(path.join(dir, 'range.onnx'), encodeModel(net));
  for (const parts of [{}, { budgets: { ...NO_BUDGETS, sizeRatio: 1 } }]) {
    const { report } = await build('range', { precision: 'fp16', ...parts });
    t.equal(report.method, 'float');
    t.ok(
      report.notes.some((note) => /fp16 does nothing for this model.*Range/s.test(note)),
      report.notes.join(),
    );
  }
});

t.test('an LSTM in dynamic int8', async (t) => {
  const { report } = await build('lstm', { precision: 'dynamic' });
  t.strictSame(operators(await readModel(path.join(dir, 'out', 'model.onnx'))), ['DynamicQuantizeLSTM']);
  t.ok(report.sqnrDb!.y! > 30);
  t.match(report.nodes, [{ op: 'LSTM', precision: 'dynamic int8', reason: null }]);
});
