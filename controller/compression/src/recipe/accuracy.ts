import { classCount, type QualitySketch, QualityWindow } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { OutputNotANumber } from '../errors.js';
import { SqnrMeter } from '../quantize/meter.js';
import type { Output, Session } from '../runtime/session.js';

/** Float against variant on the same samples. `top1` in percent; null without labels. */
export interface Comparison {
  readonly n: number;
  readonly top1Float: number | null;
  readonly top1: number | null;
  /** Samples the variant got right and float wrong, and the other way round. */
  readonly fixed: number | null;
  readonly broken: number | null;
  readonly mcnemarP: number | null;
  /** Percent of samples whose first class is the same. */
  readonly agreement: number;
  readonly sqnrDb: Record<string, number>;
  /** What the variant said, where its first output is classes. */
  readonly quality: QualitySketch | null;
  /** Per output: largest minus smallest float value seen. */
  readonly outputRange: Record<string, number>;
}

/** Number of the largest of `size` values from `start`; the first of equals. */
export function argmax(values: Float32Array, start: number, size: number): number {
  let best = 0;
  for (let at = 1; at < size; at++) if (values[start + at]! > values[start + best]!) best = at;
  return best;
}

/**
 * Two-sided exact McNemar test: with n = fixed + broken differing samples, the chance of a split at least this uneven
 * if both were equally likely; 1 when nothing differs. [McNemar 1947; binomial, p = 1/2]
 */
export function mcnemar(fixed: number, broken: number): number {
  const n = fixed + broken;
  let term = -n * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= Math.min(fixed, broken); k++) {
    sum += Math.exp(term);
    term += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * sum);
}

class Tally {
  n = 0;
  private right = 0;
  private rightFloat = 0;
  private fixed = 0;
  private broken = 0;
  private agreed = 0;

  add(label: number | null, float: number, variant: number): void {
    this.n++;
    if (float === variant) this.agreed++;
    if (label === null) return;
    if (float === label) this.rightFloat++;
    if (variant === label) this.right++;
    if (variant === label && float !== label) this.fixed++;
    if (variant !== label && float === label) this.broken++;
  }

  figures(labelled: boolean) {
    const percent = (count: number): number => (100 * count) / Math.max(1, this.n);
    const { fixed, broken } = this;
    return {
      n: this.n,
      top1Float: labelled ? percent(this.rightFloat) : null,
      top1: labelled ? percent(this.right) : null,
      fixed: labelled ? fixed : null,
      broken: labelled ? broken : null,
      mcnemarP: labelled ? mcnemar(fixed, broken) : null,
      agreement: percent(this.agreed),
    };
  }
}

/** Throws ESP_OUTPUT_NOT_A_NUMBER where a float model returns NaN: nothing can be held against that. */
export function requireNumbers(outputs: Readonly<Record<string, Output>>, model: string): void {
  for (const [output, { data }] of Object.entries(outputs)) {
    if (data.includes(Number.NaN)) throw OutputNotANumber({ model, output });
  }
}

/** What variants are compared with: a session, or what one gave before for the same batches in the same order. */
export interface Reference extends Pick<Session, 'name' | 'outputs' | 'floats'> {
  /** The session behind it, where it is not one itself. */
  readonly session?: Session;
}

/**
 * Runs both models over the data; the first output is the one whose largest value is the class. Throws
 * ESP_OUTPUT_NOT_A_NUMBER.
 */
export async function compare(
  float: Reference,
  variant: Session,
  data: Dataset,
  feeding: BatchOptions,
  onProgress?: (share: number) => void,
): Promise<Comparison> {
  const tally = new Tally();
  const meter = new SqnrMeter();
  const extremes = new Map<string, [number, number]>();
  const first = float.outputs[0]!.name;
  const width = classCount(variant.outputs);
  const quality = width === null ? null : new QualityWindow(width);
  for await (const batch of batches(data, feeding)) {
    const a = await float.floats(batch.feeds);
    requireNumbers(a, float.name);
    const b = variant === (float.session ?? float) ? a : await variant.floats(batch.feeds);
    for (const [name, { data: values }] of Object.entries(a)) {
      meter.add(name, values, b[name]!.data);
      widen(extremes, name, values);
    }
    const scores = b[first]?.data;
    for (let row = 0; quality && scores && row < batch.size; row++) quality.see(scores, row * quality.width);
    const rows = a[first]!.dims[0] ?? 1;
    const size = a[first]!.data.length / Math.max(1, rows);
    for (let row = 0; row < batch.size; row++) {
      const label = batch.labels ? batch.labels[row]! : null;
      tally.add(label, argmax(a[first]!.data, row * size, size), argmax(b[first]!.data, row * size, size));
    }
    onProgress?.((batch.start + batch.size) / data.n);
  }
  const outputRange = Object.fromEntries([...extremes].map(([name, [low, high]]) => [name, high - low]));
  return { ...tally.figures(data.labelled), sqnrDb: meter.values(), quality: quality?.sketch() ?? null, outputRange };
}

function widen(extremes: Map<string, [number, number]>, name: string, values: Output['data']): void {
  const range = extremes.get(name) ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
  }
  extremes.set(name, range);
}
