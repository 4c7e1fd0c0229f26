import { affineOf, quantizeUnsigned, roundHalfEven } from '@espalier/compression/quantize/affine';
import { ChannelStats } from '@espalier/compression/quantize/channel-stats';
import { Observer } from '@espalier/compression/quantize/observer';
import { quantizeBias, quantizeWeights } from '@espalier/compression/quantize/weights';
import t from 'tap';
import { noise } from '../support/tiny.ts';

t.test('zero is always exact, and every scale finite and positive', async (t) => {
  for (const [min, max] of [
    [0, 0],
    [3.5, 3.5],
    [-2, -1],
    [-1e-8, 1e-8],
    [-1e30, 1e30],
  ] as const) {
    const { scale, zero } = affineOf({ min, max });
    t.ok(scale > 0 && Number.isFinite(scale), `scale of ${min}..${max}`);
    t.ok(Number.isInteger(zero) && zero >= 0 && zero <= 255, `zero point of ${min}..${max}`);
  }
});

t.test('a constant activation of 3.5 comes back within one percent', async (t) => {
  const params = affineOf({ min: 3.5, max: 3.5 });
  const [q] = quantizeUnsigned(Float32Array.of(3.5), params, 255);
  t.ok(Math.abs((q! - params.zero) * params.scale - 3.5) < 0.035);
});

t.test('halves round to the even neighbour, as QuantizeLinear does', async (t) => {
  t.strictSame([0.5, 1.5, 2.5, -0.5, -1.5, 2.4].map(roundHalfEven).map(Math.abs), [0, 2, 2, 0, 2, 2]);
});

/** Two output channels of four weights. */
const request = {
  channels: 2,
  inner: 4,
  bias: null,
  inputScale: 0.02,
  perChannel: true,
  pairSafe: false,
};

t.test('a channel of zeros and one at 1e-8 keep usable scales, and their bias comes back', async (t) => {
  const bias = Float32Array.of(0.75, -2);
  const weights = Float32Array.of(0, 0, 0, 0, 1e-8, -1e-8, 1e-8, 5e-9);
  const { scales } = quantizeWeights({ ...request, weights, bias });
  const quantized = quantizeBias(bias, request.inputScale, scales);
  for (const channel of [0, 1]) {
    t.ok(scales[channel]! > 0 && Number.isFinite(scales[channel]!));
    const back = quantized[channel]! * request.inputScale * scales[channel]!;
    t.ok(Math.abs(back - bias[channel]!) < 1e-4, `bias ${channel}`);
  }
});

t.test('a bias too large for int32 raises the scale of its channel alone', async (t) => {
  const weights = Float32Array.of(1e-6, 0, 0, 0, 1, 0.5, 0, 0);
  const found = quantizeWeights({ ...request, weights, bias: Float32Array.of(1e3, 1) });
  t.equal(found.raisedForBias, 1);
  const [q] = quantizeBias(Float32Array.of(1e3, 1), request.inputScale, found.scales);
  t.ok(Math.abs(q! * request.inputScale * found.scales[0]! - 1e3) < 1e-3);
});

t.test('pair-safe weights: no two of a channel can overflow 16 bits, whatever their order', async (t) => {
  const tensor = noise([2, 64], 5);
  const weights = new Float32Array(new Uint8Array(tensor.bytes).buffer);
  const { values, raisedForPairs } = quantizeWeights({
    ...request,
    inner: 64,
    weights,
    pairSafe: true,
  });
  t.equal(raisedForPairs, 2);
  for (const channel of [0, 1]) {
    const sorted = [...values.subarray(channel * 64, channel * 64 + 64)].sort((a, b) => a - b);
    t.ok(255 * (sorted[62]! + sorted[63]!) <= 32767);
    t.ok(255 * (sorted[0]! + sorted[1]!) >= -32768);
  }
});

t.test('on a heavy-tailed tensor the methods differ: error search and percentile cut the tail', async (t) => {
  const values = new Float32Array(100_000);
  const bulk = new Float32Array(new Uint8Array(noise([100_000], 7).bytes).buffer);
  values.set(bulk.map(Math.abs));
  values[17] = 400;
  const observer = new Observer({ min: 0, max: 400 });
  observer.count(values);
  t.strictSame(observer.range('minmax'), { min: 0, max: 400 });
  t.ok(observer.range('percentile').max < 50);
  t.ok(observer.range('mse').max < 400);
  t.ok(observer.range('entropy').max < 100, `entropy ${observer.range('entropy').max}`);
});

t.test('entropy keeps all of an even tensor', async (t) => {
  const observer = new Observer({ min: -1, max: 3 });
  observer.count(Float32Array.from({ length: 65_536 }, (_, at) => -1 + (4 * at) / 65_536));
  const { min, max } = observer.range('entropy');
  t.ok(min < -0.9 && max > 2.8, `${min}..${max}`);
});

t.test('the moving average is exponential: a = a + 0.1 (x - a), from the first run on', async (t) => {
  const observer = new Observer({ min: -1, max: 20 });
  for (const high of [10, 20, 20]) observer.count(Float32Array.of(-1, high));
  t.strictSame(observer.range('minmax'), { min: -1, max: 20 });
  t.ok(Math.abs(observer.range('average').max - 11.9) < 21 / 2048, String(observer.range('average').max));
});

t.test('NaN and infinite activations do not spoil a range', async (t) => {
  const stats = new ChannelStats();
  stats.see(Float32Array.of(Number.NaN, -1, 2, Number.POSITIVE_INFINITY), [4]);
  const { min, max } = stats.figures();
  const observer = new Observer({ min: min[0]!, max: max[0]! });
  t.strictSame(observer.range('minmax'), { min: -1, max: 2 });
});
