/** How a model is run is measured here: batching is proven before it is used, and what was found is kept. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { silent } from '@espalier/agent/common/log';
import { AgentConfig } from '@espalier/agent/config';
import { readFacts } from '@espalier/agent/hardware/facts';
import { ModelPool } from '@espalier/agent/runtime/model-pool';
import { candidates, choose, cpuBudget, fastCpus, type Measured } from '@espalier/agent/runtime/tuning/candidates';
import { proveBatching } from '@espalier/agent/runtime/tuning/prove-batching';
import { Serving } from '@espalier/agent/serve/serving';
import { makeTuner, poolSettings } from '@espalier/agent/serve/settings';
import { SessionOptions } from '@espalier/proto';
import t from 'tap';
import { root } from '../../../test/support/process.ts';
import { noise, type TinyModel, writeTinyModel } from '../../../test/support/tiny-model.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-tuning-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const settings = poolSettings(AgentConfig.parse({}));

async function proven(name: string, model: TinyModel): Promise<number[]> {
  const file = writeTinyModel(path.join(scratch, `${name}.onnx`), model);
  const pool = await ModelPool.open(file, SessionOptions.parse({}), settings);
  try {
    return await proveBatching(pool, 8, 1000);
  } finally {
    await pool.close();
  }
}

t.test('a batch is used only where every row gets what it gets alone', async (t) => {
  const inputs = { x: ['batch', 6] };
  const constants = { w: noise([6, 4], 1) };
  const honest: TinyModel = { inputs, outputs: ['y'], constants, nodes: [['MatMul', ['x', 'w'], ['y']]] };
  t.strictSame(await proven('honest', honest), [1, 2, 4, 8]);
  const mean: TinyModel = {
    ...{ inputs, outputs: ['y'] },
    nodes: [
      ['ReduceMean', ['x'], ['m'], { axes: [0], keepdims: 1 }],
      ['Sub', ['x', 'm'], ['y']],
    ],
  };
  t.strictSame(await proven('mean', mean), [1], 'rows that touch each other');
  const fixed: TinyModel = { ...honest, inputs: { x: [1, 6] } };
  t.strictSame(await proven('fixed', fixed), [1], 'a batch of one in the signature');
  const scaled: TinyModel = {
    ...{ inputs, outputs: ['y'], constants },
    nodes: [
      ['DynamicQuantizeLinear', ['x'], ['q', 's', 'z']],
      ['DequantizeLinear', ['q', 's', 'z'], ['f']],
      ['MatMul', ['f', 'w'], ['y']],
    ],
  };
  t.strictSame(await proven('scaled', scaled), [1], 'one scale for the whole batch');
});

t.test('the CPUs are those that affinity and quota leave, and unlike clusters are tried apart', async (t) => {
  t.equal(cpuBudget({ cores: 32, allowedCpus: 2, quotaCpus: null }), 2);
  t.equal(cpuBudget({ cores: 32, allowedCpus: null, quotaCpus: 1.5 }), 1);
  t.equal(cpuBudget({ cores: 4, allowedCpus: 4, quotaCpus: 0.5 }), 1);
  const clusters = [
    { cpus: [0, 1, 2, 3], capacity: 400 },
    { cpus: [4, 5], capacity: 1024 },
  ];
  t.equal(fastCpus(clusters), 2);
  const shapes = candidates(6, 2).map(({ workers, threads }) => `${workers}x${threads}`);
  for (const wanted of ['6x1', '1x6', '3x2', '1x2', '2x1']) t.ok(shapes.includes(wanted), wanted);
  t.strictSame(candidates(1, 1), [{ workers: 1, threads: 1, spin: false }]);
});

t.test('the choice has the most rows a second; near the best, the fastest single answer', async (t) => {
  const setup = (workers: number, threads: number, spin: boolean, ms: number, rowsPerS: number): Measured => ({
    ...{ workers, threads, spin },
    sizes: new Map([
      [1, { ms, rowsPerS }],
      [8, { ms: 6 * ms, rowsPerS: 1.3 * rowsPerS }],
    ]),
  });
  const two = setup(2, 1, false, 17, 117);
  const one = setup(1, 2, false, 10, 94);
  const spinning = setup(1, 2, true, 9, 120);
  t.equal(choose([one, two, spinning], 1e9), two, 'spinning must gain more than it burns');
  t.equal(choose([one, setup(2, 1, false, 17, 97)], 1e9), one);
  t.equal(
    choose([two, setup(1, 2, false, 5, 100)], 40),
    two,
    'a batch that takes more than half of the limit counts not',
  );
});

t.test('a plan is searched once, used under the model that serves, and found again at the next start', async (t) => {
  const file = path.join(root, 'deploy/sample/fashion-ds.onnx');
  const config = AgentConfig.parse({ tuneLimitS: 1 });
  const plans = path.join(scratch, 'plans');
  const tuner = makeTuner(config, plans, readFacts().cpu, silent);
  const serving = new Serving(settings, tuner);
  const { pool } = await serving.swapToFile(file, 'fashion');
  t.equal(pool.plan, null, 'it serves before it is tuned');
  await tuner.settled();
  t.ok(pool.plan && pool.plan.workers * pool.plan.threads <= cpuBudget(readFacts().cpu));
  t.equal(readdirSync(plans).length, 1);
  await serving.close();
  const again = new Serving(settings, makeTuner(config, plans, readFacts().cpu, silent));
  const { pool: reopened } = await again.swapToFile(file, 'fashion');
  t.strictSame(reopened.plan, pool.plan);
  await again.close();
});

t.test('a build of the controller is left alone for a while, then searched for', async (t) => {
  const config = AgentConfig.parse({ tuneLimitS: 1 });
  const tuner = makeTuner(config, path.join(scratch, 'later'), readFacts().cpu, silent, 300);
  const serving = new Serving(settings, tuner);
  const { pool } = await serving.swapToFile(path.join(root, 'deploy/sample/fashion-ds.onnx'), 'fashion');
  await tuner.settled();
  t.equal(pool.plan, null, 'no search begins with the switch');
  // The timer alone does not keep the process alive.
  await new Promise((resolve) => setTimeout(resolve, 600));
  await tuner.settled();
  t.ok(pool.plan, 'it was searched later');
  await serving.close();
});

t.test('a model that goes away in the middle of a search takes nothing with it', async (t) => {
  const tuner = makeTuner(AgentConfig.parse({}), path.join(scratch, 'none'), readFacts().cpu, silent);
  const serving = new Serving(settings, tuner);
  await serving.swapToFile(path.join(root, 'deploy/sample/fashion-ds.onnx'), 'fashion');
  await new Promise((resolve) => setTimeout(resolve, 300));
  await serving.close();
  await tuner.settled();
  t.equal(serving.healthy, false);
});
