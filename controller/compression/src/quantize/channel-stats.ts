import type { Range } from './affine.js';
import type { Kept } from './calibration-cache.js';
import type { Numbers } from './record-log.js';

/** Per-channel figures of one value over everything seen; a channel is an index of axis 1. */
export interface ChannelFigures {
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly mean: Float64Array;
  /** E[x^2]. */
  readonly power: Float64Array;
}

/** The extremes of all channels together, and zero; nothing but zero where nothing finite was seen. */
export function wholeRange({ min, max }: ChannelFigures): Range {
  const range = {
    min: min.reduce((least, one) => Math.min(least, one), 0),
    max: max.reduce((most, one) => Math.max(most, one), 0),
  };
  return Number.isFinite(range.max - range.min) ? range : { min: 0, max: 0 };
}

/** Figures of [N, C], flat. */
interface Reduced {
  readonly min: Float32Array;
  readonly max: Float32Array;
  readonly mean: Float32Array;
  readonly squares: Float32Array;
}

const filled = (channels: number, value: number) => new Float64Array(channels).fill(value);

/** Streams a value [N, C, ...] channel by channel; memory is C numbers, whatever the number of samples. */
export class ChannelStats implements Kept {
  private min = new Float64Array();
  private max = new Float64Array();
  private sum = new Float64Array();
  private squares = new Float64Array();
  private perChannel = 0;

  /** NaN and infinite values are ignored by the extremes. */
  see(values: Float32Array, dims: readonly number[]): void {
    const channels = dims.length > 1 ? dims[1]! : 1;
    const rows = dims.length > 1 ? dims[0]! : 1;
    const inner = values.length / Math.max(1, rows * channels);
    this.start(channels);
    this.perChannel += rows * inner;
    let at = 0;
    for (let line = 0; line < rows * channels; line++) {
      let [low, high, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
      for (const end = at + inner; at < end; at++) {
        const value = values[at]!;
        if (value < low && value > Number.NEGATIVE_INFINITY) low = value;
        if (value > high && value < Number.POSITIVE_INFINITY) high = value;
        sum += value;
        squares += value * value;
      }
      this.add(line % channels, low, high, sum, squares);
    }
  }

  /** Takes in figures of [N, C], each over `inner` elements. */
  merge({ min, max, mean, squares }: Reduced, channels: number, inner: number): void {
    this.start(channels);
    this.perChannel += (min.length / channels) * inner;
    for (let line = 0; line < min.length; line++) {
      this.add(line % channels, min[line]!, max[line]!, mean[line]! * inner, squares[line]!);
    }
  }

  /** One channel of one sample; an empty range (low > high) when nothing in it was finite. */
  private add(channel: number, low: number, high: number, sum: number, squares: number): void {
    this.sum[channel]! += sum;
    this.squares[channel]! += squares;
    this.min[channel] = Math.min(this.min[channel]!, low);
    this.max[channel] = Math.max(this.max[channel]!, high);
  }

  /** False when a NaN or an infinite value came by. */
  isFinite(): boolean {
    return [this.min, this.max, this.sum, this.squares].every((figures) => figures.every(Number.isFinite));
  }

  state(): Numbers[] {
    return [this.min, this.max, this.sum, this.squares, Float64Array.of(this.perChannel)];
  }

  restore(state: readonly Numbers[]): void {
    const [min, max, sum, squares, perChannel] = state as readonly Float64Array<ArrayBuffer>[];
    Object.assign(this, { min, max, sum, squares, perChannel: perChannel?.[0] ?? 0 });
  }

  private start(channels: number): void {
    if (this.sum.length > 0) return;
    this.min = filled(channels, Number.POSITIVE_INFINITY);
    this.max = filled(channels, Number.NEGATIVE_INFINITY);
    this.sum = filled(channels, 0);
    this.squares = filled(channels, 0);
  }

  figures(): ChannelFigures {
    const n = Math.max(1, this.perChannel);
    const { min, max } = this;
    return {
      ...{ min, max },
      mean: this.sum.map((sum) => sum / n),
      power: this.squares.map((sum) => sum / n),
    };
  }
}
