/** exits and search as a user runs them. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { StagedModel } from '@espalier/proto';
import t from 'tap';
import { espalier } from '../support/espalier.ts';
import { sample } from '../support/sample.ts';

t.test('exits writes stages that together are the network, and judges them', async (t) => {
  const dir = t.testdir();
  const args = ['exits', sample.model, '-o', dir, '--data', sample.calibrate, '--epochs', '0', '--json'];
  const made = await espalier(...args, '--evaluate', sample.evaluate.replace('to=500', 'to=50'));
  t.equal(made.code, 0, made.err);
  const [result] = made.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(
    result.evaluation.histogram.reduce((sum: number, count: number) => sum + count),
    50,
  );
  const staged = StagedModel.parse(JSON.parse(readFileSync(path.join(dir, 'stages.json'), 'utf8')));
  t.equal(staged.stages.length, 3);
  t.ok(staged.stages.every(({ file }) => existsSync(path.join(dir, file))));
  const refused = await espalier(...args, '--at', 'nowhere');
  t.equal(refused.code, 2);
  t.match(refused.err, /ESP_EXIT_UNFIT/);
});

t.test('search needs a table, and says when a latency is out of reach', async (t) => {
  const dir = t.testdir();
  const output = path.join(dir, 'found.onnx');
  const args = ['search', sample.model, '-o', output, '--data', sample.calibrate, '--samples', '64', '--json'];
  const missing = await espalier(...args, '--latency', '0.8', '--table', path.join(dir, 'none.json'));
  t.equal(missing.code, 2);
  t.match(missing.err, /ESP_LATENCY_TABLE_UNFIT/);
  const table = path.join(dir, 'table.json');
  await espalier('profile-ops', sample.model, '-o', table, '--calibrate', sample.calibrate);
  const found = await espalier(...args, '--latency', '0.95', '--table', table, '--evaluations', '3');
  t.equal(found.code, 0, found.err);
  const result = JSON.parse(found.out);
  t.ok(result.best.latencyUs <= result.budgetUs && result.measuredShare > 0 && existsSync(output));
  const impossible = await espalier(...args, '--latency', '0.001', '--table', table);
  t.equal(impossible.code, 2);
  t.match(impossible.err, /ESP_PRUNE_BUDGET_MISSED/);
});
