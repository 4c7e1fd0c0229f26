/** Moments of a node's inputs, the rounding fitted to them, and the mean error that the bias takes over. */
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { floatsOf, type Tensor } from '@espalier/compression/onnx/tensor';
import { returningOnly } from '@espalier/compression/passes/returning-only';
import { stepFor, tapMoments } from '@espalier/compression/quantize/moment-taps';
import { type Moments, observeMoments } from '@espalier/compression/quantize/moments';
import { meanError, roundFilters } from '@espalier/compression/quantize/round';
import { calibrationBatch, firstFloats, joined, spread } from '@espalier/compression/quantize/samples';
import { nextChoices } from '@espalier/compression/quantize/search';
import { settleMeans } from '@espalier/compression/quantize/settle-means';
import { keepPairs, quantizeWeights } from '@espalier/compression/quantize/weights';
import { Session } from '@espalier/compression/runtime/session';
import t from 'tap';
import { batchesOf } from '../support/quantized.ts';
import { floats, noise, tinyGraph } from '../support/tiny.ts';

const samples = Array.from({ length: 5 }, (_, at) => ({ x: noise([1, 2, 5, 5], 70 + at) }));

t.test('moments of a padded, strided convolution are those of its patches', async (t) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 2, 5, 5] },
    outputs: ['y'],
    constants: { w: noise([3, 2, 3, 3], 1) },
    nodes: [['Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1], strides: [2, 2] }]],
  });
  const found = (await observeMoments(graph, graph.nodes, batchesOf(samples))).get('y')!;
  t.match(found, { groups: 1, size: 18 });
  const patches = samples.flatMap(({ x }) => patchesOf(floatsOf(x)!));
  const mean = Array.from({ length: 18 }, (_, k) => patches.reduce((sum, p) => sum + p[k]!, 0) / patches.length);
  for (let i = 0; i < 18; i++) {
    t.ok(Math.abs(found.mean[i]! - mean[i]!) < 1e-5);
    for (let j = 0; j < 18; j++) {
      const cov = patches.reduce((sum, p) => sum + (p[i]! - mean[i]!) * (p[j]! - mean[j]!), 0) / patches.length;
      t.ok(Math.abs(found.covariance(0)[i * 18 + j]! - cov) < 1e-4);
    }
  }
});

/** The 3x3 patches, stride 2, of [2, 5, 5] with a border of zeros. */
function patchesOf(x: Float32Array): number[][] {
  const at = (c: number, row: number, column: number) =>
    row < 0 || column < 0 || row > 4 || column > 4 ? 0 : x[c * 25 + row * 5 + column]!;
  const nine = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  return nine.map((p) =>
    [0, 1].flatMap((c) =>
      nine.map((k) => at(c, 2 * Math.floor(p / 3) + Math.floor(k / 3) - 1, 2 * (p % 3) + (k % 3) - 1)),
    ),
  );
}

/** Strongly correlated inputs: x_k = common + a little of their own. */
const correlated = (size: number): Moments => {
  const covariance = Float32Array.from({ length: size * size }, (_, at) =>
    Math.floor(at / size) === at % size ? 1.1 : 1,
  );
  return { groups: 1, size, mean: new Float64Array(size).fill(0.5), covariance: () => covariance };
};

const errorOf = (q: Int8Array, weights: Float32Array, scale: number, { size, covariance }: Moments): number => {
  const e = weights.map((w, k) => w - scale * q[k]!);
  let sum = 0;
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) sum += e[i]! * e[j]! * covariance(0)[i * size + j]!;
  return sum;
};

t.test(
  'fitted rounding has less output error than nearest rounding, and moves no weight more than a step',
  async (t) => {
    const moments = correlated(32);
    const weights = floatsOf(noise([1, 32], 9))!;
    const request = { weights, channels: 1, inner: 32, bias: null, inputScale: 1, perChannel: true };
    const { values: nearest, scales } = quantizeWeights({ ...request, pairSafe: false });
    const fitted = nearest.slice();
    roundFilters(fitted, weights, scales, moments);
    t.ok(errorOf(fitted, weights, scales[0]!, moments) < 0.5 * errorOf(nearest, weights, scales[0]!, moments));
    t.ok(fitted.every((q, k) => Math.abs(q - nearest[k]!) <= 1));
    const expected = weights.reduce((sum, w, k) => sum + (w - scales[0]! * fitted[k]!) * 0.5, 0);
    t.ok(Math.abs(meanError(fitted, weights, scales, moments)[0]! - expected) < 1e-6);
  },
);

t.test('a filter whose pairs would overflow after rounding goes back to its nearest', async (t) => {
  const values = Int8Array.of(65, 64, -3, 64, 64, -3);
  keepPairs(values, Int8Array.of(64, 64, -4, 63, 64, -4), 3);
  t.strictSame([...values], [64, 64, -4, 64, 64, -3]);
});

t.test('samples are spread evenly, batches follow the input size, and a prefix holds enough', async (t) => {
  t.strictSame(spread(10, 4), [0, 2, 5, 7]);
  t.strictSame(spread(3, 8), [0, 1, 2]);
  t.equal(calibrationBatch([{ name: 'x', type: 'float32', shape: ['N', 3, 224, 224] }]), 1);
  t.equal(calibrationBatch([{ name: 'x', type: 'float32', shape: ['N', 3, 32, 32] }]), 4);
  t.equal(firstFloats(batchesOf(samples), 150).length, 3);
  t.equal(firstFloats(batchesOf(samples), 999).length, 5);
});

t.test('the search changes one choice at a time from the best so far', async (t) => {
  const best = { method: 'mse', equalize: true, bias: true, round: false } as const;
  const whole = { ...best, method: 'minmax' };
  t.strictSame(nextChoices(best, 0, true), [whole, { ...whole, equalize: false }]);
  t.strictSame(nextChoices(best, 0, false), [{ ...whole, equalize: false }]);
  t.strictSame(nextChoices(best, 0, false, ['entropy']), [{ ...best, method: 'entropy', equalize: false }]);
  t.strictSame(
    nextChoices(best, 1, true).map(({ method }) => method),
    ['mse', 'minmax', 'percentile', 'entropy', 'average'],
  );
  t.strictSame(nextChoices(best, 1, true, ['entropy']), [{ ...best, method: 'entropy' }]);
  t.strictSame(nextChoices(best, 2, true), [{ ...best, bias: false }]);
  t.strictSame(nextChoices(best, 3, true), [{ ...best, round: true }]);
});

t.test(
  'of a large map some places are taken, evenly spread, and their patches are whole ones of the convolution',
  async (t) => {
    t.equal(stepFor([null, 16, 32, 32], 64), 4);
    t.equal(stepFor([null, 16, 7, 7], 64), 1);
    t.equal(stepFor([null, 16, null, 7], 4), 1);
    t.equal(stepFor([null, 10], 4), 1);
    const graph = tinyGraph({
      inputs: { x: ['N', 2, 16, 16] },
      outputs: ['y'],
      constants: { w: noise([3, 2, 3, 3], 1) },
      nodes: [['Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1] }]],
    });
    const taken = cloneGraph(graph);
    // Of 1,000 samples 16 places each: every fourth row and column from the third on.
    tapMoments(taken, taken.nodes.slice(), 1000);
    const patches = taken.nodes.find(({ attributes }) => attributes.has('group'))!.outputs[0]!;
    const x = noise([1, 2, 16, 16], 7);
    const found = await oneValue(taken, patches, x);
    t.strictSame(found.dims, [1, 18, 4, 4]);
    const at = (row: number, column: number): number => floatsOf(x)![row * 16 + column]!;
    for (const [row, column] of [
      [0, 0],
      [1, 2],
      [3, 3],
    ] as const) {
      const place = row * 4 + column;
      t.equal(found.data[4 * 16 + place], at(2 + 4 * row, 2 + 4 * column), 'the middle of the kernel');
      t.equal(found.data[place], at(1 + 4 * row, 1 + 4 * column), 'its first corner');
    }
  },
);

/** A value of a graph that feeds it. */
async function oneValue(graph: Graph, value: string, x: Tensor) {
  const session = await Session.open(encodeModel(returningOnly(graph, [value])), 'one value');
  try {
    return (await session.floats({ x: batchesOf([{ x }])[0]!.feeds.x! }))[value]!;
  } finally {
    await session.dispose();
  }
}

t.test('batches are joined where the model takes any number of samples', async (t) => {
  const graph = (batch: string | number) =>
    tinyGraph({ inputs: { x: [batch, 1, 1, 2] }, outputs: ['y'], nodes: [['Neg', ['x'], ['y']]] });
  const two = [1, 2, 3].map((from) => ({ x: floats([2, 1, 1, 2], [from, from, from, from]) }));
  const all = batchesOf(two).map((batch) => ({ ...batch, size: 2 }));
  const feeds = [...joined(graph('N'), all, 2)];
  t.strictSame(
    feeds.map(({ x }) => x!.dims[0]),
    [4, 2],
  );
  t.strictSame([...(feeds[0]!.x!.data as Float32Array)], [1, 1, 1, 1, 2, 2, 2, 2]);
  t.equal([...joined(graph(2), all, 2)].length, 3, 'a fixed number stays');
  const single = batchesOf([1, 2].map((value) => ({ x: floats([1, 1, 1, 2], [value, value]) })));
  t.equal([...joined(graph('N'), single, 2)].length, 2, 'single samples stay alone');
});

t.test('means of patches are drawn to the means of their channels', async (t) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 2, 5, 5] },
    outputs: ['y'],
    constants: { w: noise([1, 2, 1, 3], 1) },
    nodes: [['Conv', ['x', 'w'], ['y']]],
  });
  const moments: Moments = {
    ...{ groups: 1, size: 6, mean: Float64Array.of(1, 2, 3, 10, 20, 30) },
    covariance: () => new Float32Array(36),
  };
  const figures = { min: new Float64Array(2), max: new Float64Array(2), power: new Float64Array(2) };
  const settled = (mean: number[]) =>
    settleMeans(graph, new Map([['y', moments]]), new Map([['x', { ...figures, mean: Float64Array.from(mean) }]]));
  t.strictSame([...settled([2.5, 19]).get('y')!.mean], [1.5, 2.5, 3.5, 9, 19, 29]);
  t.equal(settled([1, 2, 3]).get('y'), moments, 'another number of channels says nothing');
});
