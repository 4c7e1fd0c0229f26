/** Per-channel figures of one value over everything seen; a channel is an index of axis 1. */
export interface ChannelFigures {
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly mean: Float64Array;
  /** E[x^2]. */
  readonly power: Float64Array;
}

/** Figures of [N, C], flat. */
interface Reduced {
  readonly min: Float32Array;
  readonly max: Float32Array;
  readonly mean: Float32Array;
  readonly squares: Float32Array;
}

/** Streams a value [N, C, ...] channel by channel; memory is C numbers, whatever the number of samples. */
export class ChannelStats {
  private min = new Float64Array();
  private max = new Float64Array();
  private sum = new Float64Array();
  private squares = new Float64Array();
  private perChannel = 0;

  /** NaN and infinite values are ignored by the extremes. */
  see(values: Float32Array, dims: readonly number[]): void {
    const channels = dims.length > 1 ? dims[1]! : 1;
    if (this.sum.length === 0) this.start(channels);
    const rows = dims.length > 1 ? dims[0]! : 1;
    const inner = values.length / Math.max(1, rows * channels);
    this.perChannel += rows * inner;
    let at = 0;
    for (let line = 0; line < rows * channels; line++) {
      const channel = line % channels;
      let [low, high, sum, squares] = [this.min[channel]!, this.max[channel]!, 0, 0];
      for (const end = at + inner; at < end; at++) {
        const value = values[at]!;
        if (value < low && value > Number.NEGATIVE_INFINITY) low = value;
        if (value > high && value < Number.POSITIVE_INFINITY) high = value;
        sum += value;
        squares += value * value;
      }
      this.min[channel] = low;
      this.max[channel] = high;
      this.sum[channel]! += sum;
      this.squares[channel]! += squares;
    }
  }

  /** Takes in figures of [N, C], each over `inner` elements. */
  merge({ min, max, mean, squares }: Reduced, channels: number, inner: number): void {
    if (this.sum.length === 0) this.start(channels);
    this.perChannel += (min.length / channels) * inner;
    for (let line = 0; line < min.length; line++) {
      const channel = line % channels;
      this.min[channel] = Math.min(this.min[channel]!, min[line]!);
      this.max[channel] = Math.max(this.max[channel]!, max[line]!);
      this.sum[channel]! += mean[line]! * inner;
      this.squares[channel]! += squares[line]!;
    }
  }

  /** False when a NaN or an infinite value came by. */
  isFinite(): boolean {
    return [this.min, this.max, this.sum, this.squares].every((figures) => figures.every(Number.isFinite));
  }

  private start(channels: number): void {
    this.min = new Float64Array(channels).fill(Number.POSITIVE_INFINITY);
    this.max = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY);
    this.sum = new Float64Array(channels);
    this.squares = new Float64Array(channels);
  }

  figures(): ChannelFigures {
    const n = Math.max(1, this.perChannel);
    return {
      min: this.min,
      max: this.max,
      mean: this.sum.map((sum) => sum / n),
      power: this.squares.map((sum) => sum / n),
    };
  }
}
