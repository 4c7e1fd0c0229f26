/** The closed forms, held against what they are defined to be. */
import { openDataset } from '@espalier/compression/data/dataset';
import { randomFrom } from '@espalier/compression/data/feeds';
import { addRidge, cholesky, invert, solveRows } from '@espalier/compression/prune/matrix';
import { obsRemoval, type Reader } from '@espalier/compression/prune/obs';
import { prune } from '@espalier/compression/prune/prune';
import { relativeDifference } from '@espalier/compression/recipe/prepare';
import t from 'tap';
import { noise, run, tinyGraph } from '../support/tiny.ts';

const random = randomFrom(5);
const draw = (size: number): Float64Array => Float64Array.from({ length: size }, () => random() * 2 - 1);

/** X Xᵀ / places of random rows: a covariance with structure. */
function covariance(size: number, places: number): Float64Array {
  const rows = Array.from({ length: size }, () => draw(places));
  for (let at = 0; at < places; at++) rows[1]![at] = 0.9 * rows[0]![at]! + 0.1 * rows[1]![at]!;
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [a, b] = [rows[Math.floor(at / size)]!, rows[at % size]!];
    return a.reduce((sum, value, place) => sum + value * b[place]!, 0) / places;
  });
}

t.test('Cholesky, solving and inverting', async (t) => {
  const size = 12;
  const matrix = covariance(size, 40);
  const factor = cholesky(matrix, size)!;
  const inverse = invert(matrix, size)!;
  const right = draw(size * 2);
  const solved = right.slice();
  solveRows(factor, size, solved);
  for (let row = 0; row < 2; row++) {
    for (let a = 0; a < size; a++) {
      let back = 0;
      for (let b = 0; b < size; b++) back += matrix[a * size + b]! * solved[row * size + b]!;
      t.ok(Math.abs(back - right[row * size + a]!) < 1e-9);
    }
  }
  let worst = 0;
  for (let a = 0; a < size; a++)
    for (let b = 0; b < size; b++) {
      let sum = 0;
      for (let at = 0; at < size; at++) sum += matrix[a * size + at]! * inverse[at * size + b]!;
      worst = Math.max(worst, Math.abs(sum - (a === b ? 1 : 0)));
    }
  t.ok(worst < 1e-8, `A times its inverse is off by ${worst}`);
  t.equal(cholesky(Float64Array.of(1, 2, 2, 1), 2), null, 'an indefinite matrix has no factor');
});

/** The least error of W without some columns, by solving for the rest directly. */
function directError(reader: Reader, gone: readonly number[]): number {
  const { weights, outputs, size } = reader;
  const matrix = addRidge(reader.covariance, size, 1e-4);
  const left = Array.from({ length: size }, (_, at) => at).filter((at) => !gone.includes(at));
  const small = Float64Array.from(left.flatMap((a) => left.map((b) => matrix[a * size + b]!)));
  const factor = cholesky(small, left.length)!;
  let error = 0;
  for (let row = 0; row < outputs; row++) {
    // The best rest R solves R S_LL = W S_:L; the error is the quadratic form of what is still missing.
    const fitted = Float64Array.from(left, (b) => {
      let sum = 0;
      for (let a = 0; a < size; a++) sum += weights[row * size + a]! * matrix[a * size + b]!;
      return sum;
    });
    solveRows(factor, left.length, fitted);
    const missing = weights.slice(row * size, (row + 1) * size);
    for (const [at, column] of left.entries()) missing[column]! -= fitted[at]!;
    for (let a = 0; a < size; a++)
      for (let b = 0; b < size; b++) error += missing[a]! * matrix[a * size + b]! * missing[b]!;
  }
  return error / reader.variance;
}

for (const [name, places] of [
  ['one column a channel', 1],
  ['four columns a channel, as a 2x2 kernel has', 4],
] as const) {
  t.test(`OBS gives the exact least-squares error of every width: ${name}`, async (t) => {
    const channels = 6;
    const size = channels * places;
    const columns = Array.from({ length: channels }, (_, channel) =>
      Array.from({ length: places }, (_, place) => channel * places + place),
    );
    const reader: Reader = {
      weights: draw(3 * size),
      outputs: 3,
      size,
      covariance: covariance(size, 200),
      variance: 2,
      columns,
    };
    const { order, errors } = obsRemoval([reader], channels);
    t.equal(order.length, channels - 1, 'one channel stays');
    for (let gone = 1; gone < channels; gone++) {
      const expected = directError(
        reader,
        order.slice(0, gone).flatMap((channel) => columns[channel]!),
      );
      t.ok(Math.abs(errors[gone]! - expected) < 1e-6 * (1 + expected), `width ${channels - gone}`);
    }
    const first = Array.from({ length: channels }, (_, channel) => directError(reader, columns[channel]!));
    t.equal(first.indexOf(Math.min(...first)), order[0], 'and the first to go is the cheapest one');
  });
}

t.test('a channel that is the sum of two others costs nothing after the refit, and much without', async (t) => {
  const weights = noise([6, 4, 1, 1], 3);
  const values = new Float32Array(new Uint8Array(weights.bytes).buffer);
  for (let at = 0; at < 4; at++) values[5 * 4 + at] = values[at]! + values[4 + at]!;
  const graph = tinyGraph({
    inputs: { x: ['N', 4, 6, 6] },
    outputs: ['y'],
    constants: {
      wa: { ...weights, bytes: new Uint8Array(values.buffer) },
      wb: noise([5, 6, 3, 3], 4),
      bb: noise([5], 5),
    },
    nodes: [
      ['Conv', ['x', 'wa'], ['a']],
      ['Conv', ['a', 'wb', 'bb'], ['y'], { pads: [1, 1, 1, 1], strides: [2, 2] }],
    ],
  });
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 4, 6, 6] as (string | number)[] }];
  const feeding = { inputs, preprocess: null, batchSize: 20, seed: 1 };
  const options = {
    ...{ importance: 'obs' as const, target: { ratio: 1 / 6 }, tied: false, seed: 1 },
    alignment: { inputChannels: 1, outputChannels: 1, depthwiseChannels: 1 },
    ...{ data: await openDataset('random:400'), feeding },
  };
  const feeds = { x: noise([3, 4, 6, 6], 9) };
  const expected = (await run(graph, feeds)).y!;
  const cut = await prune(graph, { ...options, refit: false });
  const refitted = await prune(graph, { ...options, refit: true });
  t.strictSame(refitted.refitted, ['y']);
  const without = relativeDifference(expected, (await run(cut.graph, feeds)).y!);
  const left = relativeDifference(expected, (await run(refitted.graph, feeds)).y!);
  t.ok(without > 0.05 && left < without / 20, `${without} of the range without the refit, ${left} with it`);
});

t.test('a network without channels to remove says why', async (t) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 4] },
    outputs: ['y'],
    constants: { w: noise([4, 3], 1) },
    nodes: [['Gemm', ['x', 'w'], ['y']]],
  });
  const feeding = {
    inputs: [{ name: 'x', type: 'float32', shape: ['N', 4] as (string | number)[] }],
    preprocess: null,
    batchSize: 2,
    seed: 1,
  };
  await t.rejects(
    prune(graph, {
      ...{ importance: 'l1', target: { ratio: 0.5 }, tied: true, refit: false, seed: 1, feeding },
      ...{
        alignment: { inputChannels: 1, outputChannels: 1, depthwiseChannels: 1 },
        data: await openDataset('random:4'),
      },
    }),
    { code: 'ESP_NOTHING_PRUNABLE', message: /output of the model/ },
  );
});
