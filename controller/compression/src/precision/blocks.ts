/** Weights in blocks with a scale each, as MatMulNBits reads them. */
import type { Matrix } from './matrices.js';

export interface Blocks {
  /** Column by column, block by block; a pair of 4-bit numbers a byte, the first in the low bits. */
  readonly packed: Uint8Array;
  /** One a block, column by column. */
  readonly scales: Float32Array;
  readonly blocks: number;
}

/** Scales that are tried for a 4-bit block, as shares of the one that clips nothing. */
const SHARES = [1, 0.95, 0.9, 0.85, 0.8, 0.75];

/**
 * Symmetric numbers of 4 or 8 bits around the middle of an unsigned range. The largest weight of a block takes the lowest
 * number, whose sign the scale carries, so that all numbers are used; 4-bit scales are the best of six by squared error.
 */
export function quantizeBlocks({ k, n, values }: Matrix, bits: 4 | 8, size: number): Blocks {
  const blocks = Math.ceil(k / size);
  const middle = 2 ** (bits - 1);
  const packed = new Uint8Array((n * blocks * size * bits) / 8);
  if (bits === 4) packed.fill(middle | (middle << 4));
  else packed.fill(middle);
  const scales = new Float32Array(n * blocks);
  for (let column = 0; column < n; column++) {
    for (let block = 0; block < blocks; block++) {
      const start = block * size;
      const weights = Array.from({ length: Math.min(size, k - start) }, (_, at) => values[(start + at) * n + column]!);
      const scale = bits === 4 ? bestScale(weights, middle) : extremeOf(weights) / -middle || 1;
      const place = column * blocks + block;
      scales[place] = scale;
      for (const [at, weight] of weights.entries()) {
        const number = roundedTo(weight, scales[place]!, middle) + middle;
        const index = place * size + at;
        if (bits === 8) packed[index] = number;
        else if (index % 2 === 0) packed[index >> 1] = (packed[index >> 1]! & 0xf0) | number;
        else packed[index >> 1] = (packed[index >> 1]! & 0x0f) | (number << 4);
      }
    }
  }
  return { packed, scales, blocks };
}

const roundedTo = (weight: number, scale: number, middle: number): number =>
  Math.min(middle - 1, Math.max(-middle, Math.round(weight / scale)));

const extremeOf = (weights: readonly number[]): number =>
  weights.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0);

function bestScale(weights: readonly number[], middle: number): number {
  const whole = extremeOf(weights) / -middle;
  if (whole === 0) return 1;
  let [best, least] = [whole, Number.POSITIVE_INFINITY];
  for (const share of SHARES) {
    const scale = Math.fround(whole * share);
    const error = weights.reduce((sum, weight) => sum + (weight - scale * roundedTo(weight, scale, middle)) ** 2, 0);
    if (error < least) [best, least] = [scale, error];
  }
  return best;
}
