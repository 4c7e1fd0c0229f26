/** The dB that stand for "no difference at all", and negative for "nothing alike": JSON has no infinity. */
const EXACT_DB = 200;

/** Signal to quantization noise, in dB, of each output over everything added. */
export class SqnrMeter {
  private readonly sums = new Map<string, { signal: number; noise: number }>();

  add(output: string, float: Float32Array, variant: Float32Array): void {
    const sum = this.sums.get(output) ?? { signal: 0, noise: 0 };
    for (let at = 0; at < float.length; at++) {
      // An infinite score, of a mask as a rule, is no signal that could be measured.
      if (!Number.isFinite(float[at]!)) continue;
      const difference = float[at]! - variant[at]!;
      sum.signal += float[at]! * float[at]!;
      sum.noise += difference * difference;
    }
    this.sums.set(output, sum);
  }

  /** By output name. */
  values(): Record<string, number> {
    const decibel = ({ signal, noise }: { signal: number; noise: number }): number => {
      if (noise === 0 || signal === 0) return noise === 0 ? EXACT_DB : 0;
      if (!Number.isFinite(noise)) return -EXACT_DB;
      return Math.min(EXACT_DB, 10 * Math.log10(signal / noise));
    };
    return Object.fromEntries([...this.sums].map(([name, sum]) => [name, decibel(sum)]));
  }

  mean(): number {
    const values = Object.values(this.values());
    return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  }
}

/** Outputs of one batch, by name. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/**
 * What candidates are compared by: the mean of the SQNR of all samples taken together, which the few that saturate
 * most decide, and of each sample's own, which does not see them. In dB, over all outputs.
 * @param sizes samples in each batch
 */
export function balancedSqnr(float: readonly Outputs[], variant: readonly Outputs[], sizes: readonly number[]): number {
  const pooled = new SqnrMeter();
  let [total, n] = [0, 0];
  for (const [at, outputs] of variant.entries()) {
    for (const [name, values] of Object.entries(outputs)) {
      const width = values.length % sizes[at]! === 0 ? values.length / sizes[at]! : values.length;
      pooled.add(name, float[at]![name]!, values);
      for (let start = 0; start < values.length; start += width) {
        const one = new SqnrMeter();
        one.add(name, float[at]![name]!.subarray(start, start + width), values.subarray(start, start + width));
        total += one.mean();
        n++;
      }
    }
  }
  return (pooled.mean() + total / Math.max(1, n)) / 2;
}
