import { roundHalfEven, saturate } from './affine.js';

/** int8 weights with one scale an output channel (or one in all), zero point 0. */
export interface QuantizedWeights {
  readonly values: Int8Array;
  readonly scales: Float32Array;
  /** Output channels whose scale was raised, and why; for the report. */
  readonly raisedForBias: number;
  readonly raisedForPairs: number;
}

export interface WeightRequest {
  readonly weights: Float32Array;
  /** Number of output channels. */
  readonly channels: number;
  /** Weights from one output channel to the next: the one at a flat index belongs to floor(at / inner) % channels. */
  readonly inner: number;
  readonly bias: Float32Array | null;
  /** Scale of the activation these weights are multiplied with. */
  readonly inputScale: number;
  readonly perChannel: boolean;
  /** True where two products of 255 * w are added in 16 bits: VPMADDUBSW without VNNI. */
  readonly pairSafe: boolean;
}

const QMAX = 127;
/** Largest sum of two weights that 255 * (w1 + w2) <= 32767 allows. */
const PAIR_MAX = 128;
/** int32 bias: |b| must fit into (2^32 - 2) / 2 steps of inputScale * scale, with a little room. */
const BIAS_STEPS = (2 ** 32 - 2) / (2 * 1.0001);
/** Bias steps a channel without any weight gets: its scale is free, so the bias decides. */
const FREE_BIAS_STEPS = 2 ** 24;
const SCALE_MIN = 1e-30;

/** The two largest positive and the two largest negative magnitudes of each channel: any pair sums to no more. */
interface Extremes {
  readonly high: [number, number];
  readonly low: [number, number];
}

function push(pair: [number, number], value: number): void {
  if (value > pair[0]) {
    pair[1] = pair[0];
    pair[0] = value;
  } else if (value > pair[1]) pair[1] = value;
}

function extremesOf({ weights, channels, inner }: WeightRequest): Extremes[] {
  const found = Array.from({ length: channels }, (): Extremes => ({ high: [0, 0], low: [0, 0] }));
  for (let start = 0; start < weights.length; start += inner) {
    const { high, low } = found[(start / inner) % channels]!;
    for (let at = start; at < start + inner; at++) {
      const weight = weights[at]!;
      if (weight >= 0) push(high, weight);
      else push(low, -weight);
    }
  }
  return found;
}

/**
 * Symmetric int8 weights. The scale of a channel is the largest of: max|w| / 127; what keeps every pair of weights
 * from overflowing 16 bits, where the profile needs that (finer than halving all weights to 7 bits); and what lets
 * the bias fit into int32.
 */
export function quantizeWeights(request: WeightRequest): QuantizedWeights {
  const { weights, channels, inner, bias, inputScale, perChannel, pairSafe } = request;
  const extremes = extremesOf(request);
  let raisedForBias = 0;
  let raisedForPairs = 0;
  const scales = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const { high, low } = extremes[channel]!;
    let scale = Math.max(high[0], low[0]) / QMAX;
    const pair = Math.max(high[0] + high[1], low[0] + low[1]) / (PAIR_MAX - 1);
    if (pairSafe && pair > scale) {
      scale = pair;
      raisedForPairs++;
    }
    const magnitude = Math.abs(bias?.[channel] ?? 0);
    if (scale === 0) scale = magnitude > 0 ? magnitude / FREE_BIAS_STEPS / inputScale : 1;
    const floor = magnitude / BIAS_STEPS / inputScale;
    if (floor > scale) {
      scale = floor;
      raisedForBias++;
    }
    scales[channel] = Math.max(scale, SCALE_MIN);
  }
  if (!perChannel) scales.fill(scales.reduce((largest, scale) => Math.max(largest, scale), SCALE_MIN));
  const values = new Int8Array(weights.length);
  for (let start = 0; start < weights.length; start += inner) {
    const scale = scales[(start / inner) % channels]!;
    for (let at = start; at < start + inner; at++) {
      values[at] = saturate(roundHalfEven(weights[at]! / scale), -QMAX, QMAX);
    }
  }
  return { values, scales: perChannel ? scales : scales.slice(0, 1), raisedForBias, raisedForPairs };
}

/** int32 bias at inputScale * weight scale: what the accumulator holds. */
export function quantizeBias(bias: Float32Array, inputScale: number, scales: Float32Array): Int32Array {
  const limit = 2 ** 31 - 1;
  return Int32Array.from(bias, (value, channel) => {
    const step = inputScale * scales[scales.length === 1 ? 0 : channel]!;
    return saturate(roundHalfEven(value / step), -limit, limit);
  });
}

/** Puts back each filter of `size` weights that left its nearest rounding for one whose pairs overflow 16 bits. */
export function keepPairs(values: Int8Array, nearest: Int8Array, size: number): void {
  for (let start = 0; start < values.length; start += size) {
    const [high, low]: [[number, number], [number, number]] = [
      [0, 0],
      [0, 0],
    ];
    for (const value of values.subarray(start, start + size)) push(value >= 0 ? high : low, Math.abs(value));
    if (Math.max(high[0] + high[1], low[0] + low[1]) > PAIR_MAX)
      values.set(nearest.subarray(start, start + size), start);
  }
}
