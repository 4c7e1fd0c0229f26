import type { Affine, Range } from './affine.js';
import { affineOf, withZero } from './affine.js';

/** Bins of a histogram. With 128 the entropy and error searches silently degenerate to min-max. */
const BINS = 2048;
/** Saturation costs more than rounding: what is clipped is usually what a decision hangs on. */
const SATURATION_WEIGHT = 3;

/** How a range is drawn from what was observed. */
export type Method = 'minmax' | 'percentile' | 'mse';

/** Streams one tensor's values; its memory does not grow with the number of samples. */
export class Observer {
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;
  private counts: Float64Array | null = null;
  private width = 0;

  /** First pass: the extremes. NaN is ignored; infinite values are too. */
  see(values: Float32Array): void {
    let { min, max } = this;
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      if (value < min && value > Number.NEGATIVE_INFINITY) min = value;
      if (value > max && value < Number.POSITIVE_INFINITY) max = value;
    }
    this.min = min;
    this.max = max;
  }

  /** Second pass, after every value was seen: the histogram between the extremes. */
  count(values: Float32Array): void {
    const { min, max } = this.extremes();
    this.counts ??= new Float64Array(BINS);
    this.width = (max - min) / BINS;
    if (this.width === 0) return;
    const { counts, width } = this;
    for (let at = 0; at < values.length; at++) {
      const bin = Math.floor((values[at]! - min) / width);
      if (bin >= 0) counts[bin < BINS ? bin : BINS - 1]!++;
    }
  }

  extremes(): Range {
    return this.min <= this.max ? withZero({ min: this.min, max: this.max }) : { min: 0, max: 0 };
  }

  range(method: Method): Range {
    const extremes = this.extremes();
    if (method === 'minmax' || !this.counts || this.width === 0) return extremes;
    return method === 'percentile' ? this.percentile(extremes, 0.9999) : this.leastError(extremes);
  }

  /** Cuts the tails that together hold 1 - share of the values. */
  private percentile({ min, max }: Range, share: number): Range {
    const counts = this.counts!;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const cut = ((1 - share) / 2) * total;
    let [low, high] = [0, BINS - 1];
    for (let sum = 0; low < high && sum + counts[low]! <= cut; low++) sum += counts[low]!;
    for (let sum = 0; high > low && sum + counts[high]! <= cut; high--) sum += counts[high]!;
    return withZero({ min: min + low * this.width, max: max - (BINS - 1 - high) * this.width });
  }

  /** The range among scaled copies of the extremes with the least weighted squared error. */
  private leastError({ min, max }: Range): Range {
    const shares = Array.from({ length: 17 }, (_, step) => 1 - step * 0.04);
    let best: Range = { min, max };
    let least = Number.POSITIVE_INFINITY;
    for (const high of max > 0 ? shares : [1]) {
      for (const low of min < 0 ? shares : [1]) {
        const range = { min: min * low, max: max * high };
        const error = this.error(min, range, affineOf(range));
        if (error < least) [least, best] = [error, range];
      }
    }
    return best;
  }

  private error(start: number, range: Range, { scale, zero }: Affine): number {
    let sum = 0;
    const counts = this.counts!;
    for (let bin = 0; bin < BINS; bin++) {
      const count = counts[bin]!;
      if (count === 0) continue;
      const value = start + (bin + 0.5) * this.width;
      const q = Math.min(255, Math.max(0, Math.round(value / scale) + zero));
      const difference = value - (q - zero) * scale;
      const outside = value < range.min || value > range.max;
      sum += count * difference * difference * (outside ? SATURATION_WEIGHT : 1);
    }
    return sum;
  }
}
