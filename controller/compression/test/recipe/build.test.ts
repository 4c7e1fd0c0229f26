import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildVariant, inspectModel, loadProfiles, type Progress, profileById } from '@espalier/compression';
import { readModel } from '@espalier/compression/onnx/codec';
import { reportPage } from '@espalier/compression/report/html';
import { summarize } from '@espalier/compression/report/summary';
import { Session } from '@espalier/compression/runtime/session';
import { GoldenFile, Report, sha256Hex } from '@espalier/proto';
import { Tensor } from 'onnxruntime-node';
import t from 'tap';
import { sample } from '../support/sample.ts';

const profiles = await loadProfiles();
const { preprocess } = await inspectModel(sample.model);
const now = () => new Date('2026-01-01T00:00:00Z');
/** A profile that never fits the machine of the test: nothing is timed, and the outcome is the same everywhere. */
const build = (outDir: string, parts: object = {}) =>
  buildVariant({
    modelPath: sample.model,
    modelName: 'fashion-ds',
    profile: profileById(process.arch === 'arm64' ? 'x64-avx512-vnni' : 'arm64-dotprod', profiles),
    recipe: 'int8',
    calibrate: sample.calibrate,
    evaluate: sample.evaluate,
    preprocess,
    outDir,
    now,
    ...parts,
  });

t.test('the sample in int8: at most one point lost, every node int8, a third of the size', async (t) => {
  const dir = t.testdir();
  const seen: Progress[] = [];
  const built = await build(dir, { onProgress: (progress: Progress) => seen.push(progress) });
  const { report } = built;
  t.equal(built.kept, 'int8');
  t.ok(report.float.top1! - report.variant.top1! <= 1, `${report.float.top1} -> ${report.variant.top1}`);
  t.ok(report.sizeRatio > 2.9);
  t.ok(report.sqnrDb!.logits! > 30);
  t.strictSame(report.floatNodes, []);
  t.ok(report.nodes.length > 20 && report.nodes.every((node) => node.precision === 'int8'));
  t.match(
    report.passes.find((pass) => pass.name === 'fold-batch-norm'),
    { applied: 18 },
  );
  t.match(report.data, { n: 500, split: 'evaluation', labelled: true });

  t.test('the files are what the lists and the report say', async (t) => {
    for (const { path: name, bytes, sha256 } of built.files) {
      const content = readFileSync(path.join(dir, name));
      t.strictSame([content.length, sha256Hex(content)], [bytes, sha256], name);
    }
    const stored = JSON.parse(readFileSync(path.join(dir, 'report.json'), 'utf8'));
    t.strictSame(Report.parse(stored), report);
    t.equal(report.createdAt, '2026-01-01T00:00:00.000Z');
  });

  t.test('latency on foreign hardware is not measured, and the report says so', async (t) => {
    t.strictSame([report.speedup, report.float.latency, report.variant.latency], [null, null, null]);
    t.ok(report.notes.some((note) => /Latency is not measured/.test(note)));
  });

  t.test('the golden cases come out of a fresh session within the tolerance', async (t) => {
    const golden = GoldenFile.parse(JSON.parse(readFileSync(path.join(dir, 'golden.json'), 'utf8')));
    const session = await Session.open(path.join(dir, 'model.onnx'), 'golden', built.sessionOptions);
    const values = (base64: string) => new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer);
    t.ok(golden.cases.length >= 2);
    for (const { inputs, outputs } of golden.cases) {
      const image = new Tensor('float32', values(inputs.image!.base64), inputs.image!.shape);
      const { logits } = await session.floats({ image });
      const expected = values(outputs.logits!.base64);
      t.ok(expected.every((one, at) => Math.abs(one - logits!.data[at]!) <= built.golden.tolerance.logits!));
    }
    await session.dispose();
  });

  t.test('the file carries its preprocessing and labels', async (t) => {
    const info = await inspectModel(path.join(dir, 'model.onnx'));
    t.strictSame(info.preprocess, preprocess);
    t.equal(info.labels?.length, 10);
  });

  t.test('progress grows from start to end through all steps', async (t) => {
    t.strictSame([...new Set(seen.map((one) => one.step))], ['read', 'quantize', 'evaluate', 'measure', 'write']);
    t.ok(seen.every((one, at) => at === 0 || one.fraction >= seen[at - 1]!.fraction));
    t.equal(seen.at(-1)!.fraction, 1);
  });

  t.test('the page shows the figures and loads nothing', async (t) => {
    const page = reportPage(report);
    t.match(page, /Float against variant/);
    t.match(page, /not measured/);
    t.match(page, /SQNR of the layers/);
    t.ok(report.layers!.length >= 18);
    const better = report.layers!.filter(({ before, after }) => after > before).length;
    t.ok(better > report.layers!.length / 2, `${better} layers are nearer to float than with plain rounding`);
    t.notMatch(page, /NaN|undefined|Infinity/);
    t.notMatch(page, /<script|https?:\/\//);
    t.notMatch(reportPage({ ...report, model: '<img>' }), /<img>/);
  });

  t.test('an int8 model is never quantized twice: kept, with a note', async (t) => {
    const again = await build(t.testdir(), { modelPath: path.join(dir, 'model.onnx') });
    t.equal(again.kept, 'float');
    t.match(summarize(again.report), { method: 'float', speedup: null, sqnrDb: null, sizeRatio: 1 });
    t.ok(again.report.notes.some((note) => /quantized already/.test(note)));
  });
});

t.test('for a CPU without VNNI the weights are kept from overflowing, at no more than a point', async (t) => {
  const dir = t.testdir();
  const { report } = await build(dir, { profile: { ...profileById('x64-avx2', profiles), match: none } });
  t.ok(report.float.top1! - report.variant.top1! <= 1, `${report.float.top1} -> ${report.variant.top1}`);
  t.ok(report.notes.some((note) => /no 16-bit sum can overflow/.test(note)));
  const graph = await readModel(path.join(dir, 'model.onnx'));
  const weights = [...graph.constants].filter(([name]) => name.endsWith('/weight/int8'));
  t.equal(weights.length, 19);
  for (const [name, { dims, bytes }] of weights) {
    const values = new Int8Array(new Uint8Array(bytes).buffer);
    const size = values.length / dims[0]!;
    const worst = Array.from({ length: dims[0]! }, (_, channel) => {
      const sorted = values.slice(channel * size, (channel + 1) * size).sort();
      return Math.max(sorted.at(-1)! + (sorted.at(-2) ?? 0), -(sorted[0]! + (sorted[1] ?? 0)));
    });
    t.ok(Math.max(...worst) <= 128, name);
  }
});
const none = { features: ['a feature no machine has'], compatible: [] };

t.test('recipe float: the very bytes of the model, proved as they are', async (t) => {
  const dir = t.testdir();
  const { report, kept } = await build(dir, { recipe: 'float' });
  t.equal(kept, 'float');
  t.ok(readFileSync(path.join(dir, 'model.onnx')).equals(readFileSync(sample.model)));
  t.match(report, { method: 'float', fixed: 0, broken: 0, agreement: 100, sqnrDb: null, sizeRatio: 1, floatNodes: [] });
});

t.test('without evaluation data the report says that it compared on the calibration data', async (t) => {
  const { report } = await build(t.testdir(), { evaluate: null });
  t.equal(report.data!.split, 'calibration');
  t.ok(report.notes.some((note) => /calibration data/.test(note)));
});

t.test('random data builds too, without an accuracy, and is labelled as such', async (t) => {
  const { report } = await build(t.testdir(), { calibrate: 'random:16', evaluate: null });
  t.match(report, { variant: { top1: null }, fixed: null, broken: null });
  t.ok(report.notes.some((note) => /random inputs/.test(note)));
});

t.test('int8 without calibration data is refused with what to do', async (t) => {
  await t.rejects(build(t.testdir(), { calibrate: null }), { code: 'ESP_CALIBRATION_MISSING', action: /--calibrate/ });
});

t.test('a build that is stopped ends with the reason', async (t) => {
  const stop = new AbortController();
  const onProgress = ({ fraction }: Progress) => fraction > 0.2 && stop.abort(new Error('enough'));
  await t.rejects(build(t.testdir(), { signal: stop.signal, onProgress }), { message: 'enough' });
});

t.test('fewer channels within the allowed drop; with too few samples nothing is removed', async (t) => {
  const pruned = await build(t.testdir(), { recipe: 'pruned-int8', maxDrop: 2 });
  t.equal(pruned.kept, 'pruned-int8');
  const { report } = pruned;
  t.ok(report.float.top1! - report.variant.top1! <= 2, `${report.float.top1} -> ${report.variant.top1}`);
  t.ok(report.sizeRatio > 3.3, `${report.sizeRatio.toFixed(2)} times smaller; int8 alone is 3.06`);
  const pass = report.passes.find(({ name }) => name === 'prune');
  t.ok(pass!.applied > 0 && /channels became/.test(pass!.reasons[0]!));
  t.match(report.commands[0], /--recipe pruned-int8 --max-drop 2/);
  const whole = await build(t.testdir(), { recipe: 'pruned-int8', calibrate: 'random:32', evaluate: 'random:8' });
  t.equal(whole.kept, 'int8');
  t.ok(whole.report.notes.some((note) => /No channels were removed: it takes at least 100 calibration/.test(note)));
});
