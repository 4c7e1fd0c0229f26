/**
 * What a classifier says, summed up: how often each class came first, how sure it was, and how spread out. Devices keep it
 * of what they serve, the builder of the evaluation, by the same arithmetic, so that the two can be compared.
 */
import { z } from 'zod';
import type { TensorSpec } from './manifest.js';

/** Bins of confidence and entropy, each over 0..1. */
export const QUALITY_BINS = 20;
/** Classes that are told apart; those that came less often are counted together. */
export const QUALITY_CLASSES_MAX = 256;
/** Outputs wider than this are no classes. */
const OUTPUTS_MAX = 4096;

const Count = z.int().nonnegative();

export const QualitySketch = z.object({
  version: z.literal(1),
  /** Samples that were looked at. */
  n: Count,
  /** Number of classes of the output. */
  width: z.int().min(2).max(OUTPUTS_MAX),
  /** [class, times it came first], most frequent first. */
  classes: z.array(z.tuple([Count, Count])).max(QUALITY_CLASSES_MAX),
  /** Times that another class came first. */
  others: Count,
  /** Largest probability: counts in equal bins of 0..1. */
  confidence: z.array(Count).length(QUALITY_BINS),
  /** Entropy of the probabilities over the largest possible, ln(width): counts in equal bins of 0..1. */
  entropy: z.array(Count).length(QUALITY_BINS),
});
export type QualitySketch = z.infer<typeof QualitySketch>;

/** Classes of a model whose first output is one row of scores a sample, or null where it is something else. Pure. */
export function classCount(outputs: readonly TensorSpec[]): number | null {
  const [first] = outputs;
  const width = first?.shape[1];
  const fits = first?.type === 'float32' && first.shape.length === 2 && typeof width === 'number';
  return fits && width >= 2 && width <= OUTPUTS_MAX ? width : null;
}

/** Sums of one window or one evaluation; memory is the number of classes, however many samples come. */
export class QualityWindow {
  private readonly counts: Uint32Array;
  private readonly confidence = new Uint32Array(QUALITY_BINS);
  private readonly entropy = new Uint32Array(QUALITY_BINS);
  private seen = 0;

  /** @param width of a row of scores */
  constructor(readonly width: number) {
    this.counts = new Uint32Array(width);
  }

  get n(): number {
    return this.seen;
  }

  /**
   * One row of scores from `start`: probabilities as they are, anything else through softmax. A row with NaN or infinity is
   * left out. @returns the confidence, or null where the row was left out
   */
  see(scores: ArrayLike<number>, start = 0): number | null {
    const { width } = this;
    let [best, sum, least] = [start, 0, Number.POSITIVE_INFINITY];
    for (let at = start; at < start + width; at++) {
      const score = scores[at]!;
      if (score > scores[best]!) best = at;
      if (score < least) least = score;
      sum += score;
    }
    if (!Number.isFinite(sum)) return null;
    const isProbability = least >= 0 && Math.abs(sum - 1) < 1e-3;
    const top = scores[best]!;
    let [total, weighted] = [0, 0];
    for (let at = start; at < start + width; at++) {
      const p = isProbability ? scores[at]! : Math.exp(scores[at]! - top);
      total += p;
      // -sum p log p, with the softmax's divisor taken out: log p = score - top - log(total).
      weighted += isProbability ? (p > 0 ? p * Math.log(p) : 0) : p * (scores[at]! - top);
    }
    const entropy = isProbability ? -weighted : Math.log(total) - weighted / total;
    const confidence = isProbability ? top : 1 / total;
    this.counts[best - start]!++;
    this.confidence[binOf(confidence)]!++;
    this.entropy[binOf(entropy / Math.log(width))]!++;
    this.seen++;
    return confidence;
  }

  sketch(): QualitySketch {
    const found: [number, number][] = [];
    for (let at = 0; at < this.width; at++) if (this.counts[at]! > 0) found.push([at, this.counts[at]!]);
    return sketchOf(this.width, found, [...this.confidence], [...this.entropy]);
  }
}

const binOf = (share: number): number => Math.min(QUALITY_BINS - 1, Math.max(0, Math.floor(share * QUALITY_BINS)));

function sketchOf(
  width: number,
  counted: readonly [number, number][],
  confidence: number[],
  entropy: number[],
  more = 0,
): QualitySketch {
  const classes = [...counted].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const rest = classes.splice(QUALITY_CLASSES_MAX).reduce((sum, [, count]) => sum + count, 0);
  const n = confidence.reduce((sum, count) => sum + count, 0);
  return { version: 1, n, width, classes, others: rest + more, confidence, entropy };
}

/** Both together. Pure. @throws RangeError when they are of outputs of different widths */
export function mergeSketches(a: QualitySketch, b: QualitySketch): QualitySketch {
  if (a.width !== b.width) throw new RangeError(`${a.width} classes and ${b.width} are of different models`);
  const counts = new Map(a.classes);
  for (const [one, count] of b.classes) counts.set(one, (counts.get(one) ?? 0) + count);
  const added = (left: readonly number[], right: readonly number[]): number[] =>
    left.map((count, at) => count + right[at]!);
  const [confidence, entropy] = [added(a.confidence, b.confidence), added(a.entropy, b.entropy)];
  return sketchOf(a.width, [...counts], confidence, entropy, a.others + b.others);
}
