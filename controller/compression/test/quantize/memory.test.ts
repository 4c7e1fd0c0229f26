/** What calibration holds: measured by budget, and by what a process of its own took. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { activationBytes, requireBudget } from '@espalier/compression/quantize/budget';
import { observeChannels } from '@espalier/compression/quantize/calibrate';
import { inGroups } from '@espalier/compression/quantize/groups';
import t from 'tap';
import { batchesOf } from '../support/quantized.ts';
import { floats, noise, tinyGraph } from '../support/tiny.ts';

t.test('values that die are not counted with those that come later', async (t) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 2, 10, 10] },
    outputs: ['y'],
    constants: { w: noise([4, 2, 1, 1], 1), v: noise([1, 4, 1, 1], 2) },
    nodes: [
      ['Conv', ['x', 'w'], ['a']],
      ['Relu', ['a'], ['b']],
      ['Conv', ['b', 'v'], ['y']],
    ],
  });
  t.equal(activationBytes(graph), 4 * (400 + 400), 'the worst node is the Relu, and x is dead by then');
});

t.test('a model whose activations cannot fit is refused before anything runs', async (t) => {
  const graph = tinyGraph({
    inputs: { x: [1, 3, 224, 65536] },
    outputs: ['y'],
    constants: { w: noise([64, 3, 1, 1], 1) },
    nodes: [['Conv', ['x', 'w'], ['y']]],
  });
  const inputs = [{ name: 'x', type: 'float32', shape: [1, 3, 224, 65536] }];
  t.throws(() => requireBudget(graph, inputs, 8), { code: 'ESP_CALIBRATION_TOO_LARGE' });
  t.ok(encodeModel(graph).length < 10_000, 'although its file is small');
});

t.test('groups keep the order and the limit; what is too large alone is alone', async (t) => {
  t.strictSame(
    inGroups([3, 3, 9, 1, 1, 1], (one) => one, 6),
    [[3, 3], [9], [1, 1, 1]],
  );
});

t.test('figures by the runtime equal those of the values themselves, NaN and infinity left out', async (t) => {
  const wild = noise([1, 3, 4, 5], 5);
  const values = new Float32Array(new Uint8Array(wild.bytes).buffer);
  const graph = tinyGraph({
    inputs: { x: ['N', 3, 4, 5] },
    outputs: ['y'],
    constants: { one: floats([], [1]) },
    nodes: [
      ['Mul', ['x', 'one'], ['m']],
      ['Relu', ['m'], ['y']],
    ],
  });
  const plain = (await observeChannels(graph, ['x', 'm'], batchesOf([{ x: floats([1, 3, 4, 5], values) }])))!;
  for (const name of ['x', 'm']) {
    const { min, max, mean, power } = plain.get(name)!;
    const second = values.subarray(20, 40);
    t.equal(min[1], Math.min(...second));
    t.equal(max[1], Math.max(...second));
    t.ok(Math.abs(mean[1]! - second.reduce((sum, one) => sum + one, 0) / 20) < 1e-6);
    t.ok(Math.abs(power[1]! - second.reduce((sum, one) => sum + one * one, 0) / 20) < 1e-6);
  }
  const odd = values.slice();
  [odd[20], odd[21], odd[22]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const found = (await observeChannels(graph, ['m'], batchesOf([{ x: floats([1, 3, 4, 5], odd) }]))).get('m')!;
  t.equal(found.min[1], Math.min(...odd.subarray(23, 40)));
  t.equal(found.max[1], Math.max(...odd.subarray(23, 40)));
});

/** Peak of a process that observes n samples of a net whose activations of one sample are 30 MB. */
async function peakOf(samples: number): Promise<number> {
  const file = new URL('../support/observe.ts', import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [file.pathname, String(samples)], {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return Number(stdout);
}

t.test('memory does not grow with the samples', async (t) => {
  const [few, many] = [await peakOf(4), await peakOf(40)];
  t.ok(many < few + 40, `${few} MB for 4 samples, ${many} MB for 40`);
});
