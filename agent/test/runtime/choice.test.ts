/** The runtime is one more measured choice; what was chosen is kept, and what failed is not chosen again. */
import path from 'node:path';
import { type ServingPlan, withoutRuntime } from '@espalier/agent/runtime/serving-plan';
import { candidates, choose, compare, type Measured, withRuntime } from '@espalier/agent/runtime/tuning/candidates';
import { PlanStore } from '@espalier/agent/runtime/tuning/plan-store';
import { SessionOptions } from '@espalier/proto';
import t from 'tap';

const measured = (runtime: string | undefined, ms: number, rowsPerS: number, inBatches = rowsPerS): Measured => ({
  ...{ workers: 2, threads: 1, spin: false, runtime },
  sizes: new Map([
    [1, { ms, rowsPerS }],
    ...(runtime === undefined ? ([[8, { ms: 8 * ms, rowsPerS: inBatches }]] as const) : []),
  ]),
});
const NO_LIMIT = 1e9;

for (const [what, onnx, litert, chosen] of [
  ['twice as fast is chosen', measured(undefined, 1, 2000), measured('litert', 0.5, 4000), 'litert'],
  [
    'a little faster is not worth its processes',
    measured(undefined, 1, 2000),
    measured('litert', 0.97, 2060),
    undefined,
  ],
  ['slower is not chosen', measured(undefined, 1, 2000), measured('litert', 1.4, 1400), undefined],
  ['batches count for ONNX Runtime', measured(undefined, 1, 2000, 6000), measured('litert', 0.8, 2500), undefined],
  ['as many rows, and each answered sooner', measured(undefined, 1, 2000), measured('litert', 0.7, 2050), 'litert'],
] as const) {
  t.test(what, async (t) => {
    t.equal(choose([onnx, litert], NO_LIMIT).runtime, chosen);
    t.equal(choose([litert, onnx], NO_LIMIT).runtime, chosen, 'in whatever order they were measured');
    t.strictSame(compare([onnx, litert], NO_LIMIT), {
      onnxruntime: onnx.sizes.get(1)!.ms,
      litert: litert.sizes.get(1)!.ms,
    });
  });
}

t.test('another runtime is measured in every split of the CPUs, without our spinning', async (t) => {
  const setups = candidates(2, 2);
  t.ok(setups.some(({ spin }) => spin));
  const others = withRuntime(setups, 'litert');
  t.ok(others.every(({ spin, runtime }) => !spin && runtime === 'litert'));
  t.equal(others.length, setups.filter(({ spin }) => !spin).length);
});

const otherwise: ServingPlan = { workers: 1, threads: 2, spin: true, curve: [[1, 1.5]] };
const plan: ServingPlan = {
  ...{ workers: 2, threads: 1, spin: false, runtime: 'litert', curve: [[1, 1]], otherwise },
  ...{ compared: { onnxruntime: 1.5, litert: 1 }, refused: { tensorrt: 'no GPU' } },
};

t.test('what failed leaves the best plan of ONNX Runtime, and its reason', async (t) => {
  const { compared } = plan;
  t.strictSame(withoutRuntime(plan, 'it died'), {
    ...otherwise,
    compared,
    refused: { tensorrt: 'no GPU', litert: 'it died' },
  });
  t.equal(withoutRuntime(otherwise, 'it died'), null, 'ONNX Runtime has nothing to go back to');
  t.equal(withoutRuntime({ ...plan, otherwise: undefined }, 'it died'), null);
});

t.test('a choice is kept with model, device and the runtimes it was made among', async (t) => {
  const store = new PlanStore(path.join(t.testdir(), 'plans'));
  const key = {
    ...{
      modelDigest: 'a',
      options: SessionOptions.parse({}),
      runtime: '1.30.0',
      cpu: 'c',
      cpus: 2,
      latencyLimitMs: null,
    },
    others: ['litert 2.3.0'],
  };
  store.write(key, plan);
  t.strictSame(store.read(key), plan);
  t.equal(store.read({ ...key, others: ['litert 2.4.0'] }), null, 'another version is measured anew');
  const { others: _, ...alone } = key;
  t.equal(store.read(alone), null, 'a device that lost LiteRT has no plan with it');
});
