/** Commands that train, measure or build everything: each takes the better part of a minute. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { espalier, lines } from '../support/espalier.ts';
import { sample } from '../support/sample.ts';

t.test('train: distilled for an epoch, the same for the same seed; a recipe that is none is refused', async (t) => {
  const dir = t.testdir();
  const data = sample.calibrate.replace('to=256', 'to=192');
  const train = (output: string, ...more: string[]) =>
    espalier('train', sample.model, '-o', path.join(dir, output), '--data', data, '--json', ...more);
  const recipe = path.join(dir, 'short.yaml');
  writeFileSync(recipe, 'stages: [{ epochs: 1, batch: 32, distill: {} }]');
  const first = await train('a.onnx', '--recipe', recipe, '--evaluate', sample.evaluate);
  t.equal(first.code, 0, first.err);
  t.match(lines(first.out), [{ model: 'fashion-ds', seed: 1, n: 500, history: [{ stage: 'train', epoch: 0 }] }]);
  t.match(first.err, /epoch 1: loss/);
  await train('b.onnx', '--recipe', recipe);
  t.same(readFileSync(path.join(dir, 'a.onnx')), readFileSync(path.join(dir, 'b.onnx')));
  const refused = await train('c.onnx', '--recipe', 'nonsense');
  t.equal(refused.code, 2);
  t.match(refused.err, /ESP_RECIPE_INVALID/);
  t.equal(refused.out, '');
});

t.test('profile-ops, then prune under a share of the latency that it measured', async (t) => {
  const dir = t.testdir();
  const table = path.join(dir, 'table.json');
  const measured = await espalier('profile-ops', sample.model, '-o', table, '--calibrate', sample.calibrate, '--json');
  t.equal(measured.code, 0, measured.err);
  const [found] = lines(measured.out);
  t.equal(found.key.precision, 'int8');
  t.ok(found.rows.length > 18, `${found.rows.length} operators`);
  t.ok(found.rows.every((row: { points: unknown[] }) => row.points.length === 7));
  const narrow = path.join(dir, 'narrow.onnx');
  const prune = (...more: string[]) =>
    espalier('prune', sample.model, '-o', narrow, '--calibrate', sample.calibrate, '--json', ...more);
  // How far widths bring it is the machine's to say: half of that way is asked for.
  const { err: refusal } = await prune('--latency', '0.01', '--table', table);
  const nearest = Number(/ESP_PRUNE_BUDGET_MISSED.*; ([\d.]+)% is the nearest/.exec(refusal)?.[1]) / 100;
  const share = (nearest + 1) / 2;
  const pruned = await prune('--latency', String(share), '--table', table);
  t.equal(pruned.code, 0, pruned.err);
  const [{ predictedUs }] = lines(pruned.out);
  t.ok(
    predictedUs.after <= predictedUs.before * share * 1.01,
    `${share}: ${predictedUs.before} us to ${predictedUs.after} us`,
  );
  for (const wrong of [
    ['--latency', '0.9'],
    ['--latency', '0.9', '--table', narrow],
  ]) {
    const refused = await prune(...wrong);
    t.equal(refused.code, 2);
    t.match(refused.err, /ESP_LATENCY_TABLE_UNFIT/);
  }
});

t.test('optimize: every recipe proven, the one that the budgets ask for is written', async (t) => {
  const output = path.join(t.testdir(), 'best.onnx');
  const data = sample.calibrate.replace('to=256', 'to=600');
  const { code, out, err } = await espalier(
    ...['optimize', sample.model, '-o', output, '--data', data, '--size-ratio', '2', '--minutes', '0', '--json'],
  );
  t.equal(code, 0, err);
  const [found] = lines(out);
  t.same(
    found.front.map(({ recipe }: { recipe: string }) => recipe),
    ['float', 'int8', 'pruned-int8'],
  );
  t.equal(found.met, found.chosen.sizeRatio >= 2 && found.chosen.drop <= 1);
  t.ok(existsSync(output));
});
