import type { Affine, Range } from './affine.js';
import { affineOf, withZero } from './affine.js';
import type { Kept } from './calibration-cache.js';
import { leastDivergence } from './entropy.js';
import type { Numbers } from './record-log.js';

/** Bins of a histogram. With 128 the entropy and error searches silently degenerate to min-max. */
const BINS = 2048;
/** Saturation costs more than rounding: what is clipped is usually what a decision hangs on. */
const SATURATION_WEIGHT = 3;

/** How a range is drawn from what was observed. */
export const METHODS = ['mse', 'minmax', 'percentile', 'entropy', 'average'] as const;
export type Method = (typeof METHODS)[number];

/** About as many values of one tensor are counted in one go. */
const COUNTED_MAX = 1 << 14;

/** Every how many values of a tensor are counted: an odd step, so that it does not always meet the same column. */
export const countedStep = (elements: number): number => Math.floor(elements / COUNTED_MAX) | 1;

/** Weight of the newest run in a moving average: a_t = a_{t-1} + w (x_t - a_{t-1}), a_0 = x_0. */
const NEWEST = 0.1;

const movedTo = (average: Range | null, { min, max }: Range): Range => ({
  min: average ? average.min + NEWEST * (min - average.min) : min,
  max: average ? average.max + NEWEST * (max - average.max) : max,
});

/** The histogram of one tensor between its extremes; its memory does not grow with the number of samples. */
export class Observer implements Kept {
  private readonly extremes: Range;
  private readonly counts = new Float64Array(BINS);
  private readonly width: number;
  /** Moving average of the extremes of each run, to a bin. */
  private average: Range | null = null;
  private readonly drawn = new Map<Method, Range>();

  /** @param seen the extremes over all samples; empty (min > max) when nothing finite was seen */
  constructor(seen: Range) {
    this.extremes = seen.min <= seen.max ? withZero(seen) : { min: 0, max: 0 };
    this.width = (this.extremes.max - this.extremes.min) / BINS;
  }

  /** NaN, and what lies below the extremes, is not counted. Of a large tensor, give every {@link countedStep}-th value. */
  count(values: Float32Array): void {
    const { counts, width } = this;
    const { min } = this.extremes;
    const perWidth = 1 / width;
    let [low, high] = [BINS, -1];
    if (width === 0) return;
    for (let at = 0; at < values.length; at++) {
      const place = (values[at]! - min) * perWidth;
      if (!(place >= 0)) continue;
      const bin = place < BINS ? place | 0 : BINS - 1;
      counts[bin]!++;
      if (bin < low) low = bin;
      if (bin > high) high = bin;
    }
    if (high >= low) this.average = movedTo(this.average, { min: min + low * width, max: min + (high + 1) * width });
  }

  /** The extremes are not part of it: an observer is restored between the same ones. */
  state(): Numbers[] {
    return [this.counts, Float64Array.from(this.average ? [this.average.min, this.average.max] : [])];
  }

  restore([counts, average]: readonly Numbers[]): void {
    this.counts.set(counts!);
    const [min, max] = average!;
    this.average = min === undefined || max === undefined ? null : { min, max };
  }

  /** After everything was counted: a range is drawn once. */
  range(method: Method): Range {
    const range = this.drawn.get(method) ?? this.draw(method);
    this.drawn.set(method, range);
    return range;
  }

  private draw(method: Method): Range {
    const { extremes } = this;
    if (method === 'minmax' || this.width === 0) return extremes;
    if (method === 'average') return withZero(this.average ?? extremes);
    if (method === 'entropy') return this.leastDivergence(extremes);
    return method === 'percentile' ? this.percentile(extremes, 0.9999) : this.leastError(extremes);
  }

  /** Cuts the tails that together hold 1 - share of the values. */
  private percentile({ min, max }: Range, share: number): Range {
    const counts = this.counts;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const cut = ((1 - share) / 2) * total;
    let [low, high] = [0, BINS - 1];
    for (let sum = 0; low < high && sum + counts[low]! <= cut; low++) sum += counts[low]!;
    for (let sum = 0; high > low && sum + counts[high]! <= cut; high--) sum += counts[high]!;
    return withZero({ min: min + low * this.width, max: max - (BINS - 1 - high) * this.width });
  }

  private leastDivergence({ min }: Range): Range {
    const { width } = this;
    const { start, end } = leastDivergence(this.counts, Math.min(BINS - 1, Math.floor(-min / width)));
    return withZero({ min: min + start * width, max: min + end * width });
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
    const counts = this.counts;
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
