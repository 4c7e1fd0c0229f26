/** The dB that stand for "no difference at all": JSON has no infinity. */
const EXACT_DB = 200;

/** Signal to quantization noise, in dB, of each output over everything added. */
export class SqnrMeter {
  private readonly sums = new Map<string, { signal: number; noise: number }>();

  add(output: string, float: Float32Array, variant: Float32Array): void {
    const sum = this.sums.get(output) ?? { signal: 0, noise: 0 };
    for (let at = 0; at < float.length; at++) {
      const difference = float[at]! - variant[at]!;
      sum.signal += float[at]! * float[at]!;
      sum.noise += difference * difference;
    }
    this.sums.set(output, sum);
  }

  /** By output name. */
  values(): Record<string, number> {
    const decibel = ({ signal, noise }: { signal: number; noise: number }): number =>
      noise === 0 || signal === 0 ? (noise === 0 ? EXACT_DB : 0) : Math.min(EXACT_DB, 10 * Math.log10(signal / noise));
    return Object.fromEntries([...this.sums].map(([name, sum]) => [name, decibel(sum)]));
  }

  mean(): number {
    const values = Object.values(this.values());
    return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  }
}
