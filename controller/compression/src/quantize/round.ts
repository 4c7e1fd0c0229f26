import type { Moments } from './moments.js';

const QMAX = 127;
/** Sweeps over all weights of a filter; the error hardly falls after the second. */
const SWEEPS = 2;
/** Added to the diagonal, as a share of its mean: inputs that never vary leave their weights at the nearest. */
const DAMPING = 0.01;

/** Filters whose products with the covariance are summed in one pass over it: reading it is what takes the time. */
const TOGETHER = 4;

/** A group of filters whose weights lie one after the other: those of filter f are the K from `at + f K`. */
interface Filters {
  /** Whole numbers, rounded in place. */
  readonly q: Int8Array;
  readonly weights: Float32Array;
  readonly at: number;
  /** Of each filter. */
  readonly scales: readonly number[];
}

/**
 * Rounds filters so that the output error e C e^T of each is least, where e = w - s q and C is the covariance of its
 * inputs: the objective of AdaRound, whose gradient in q_k is -2 s (C e)_k, so that the best q_k with all others held
 * is q_k + (C e)_k / (s C_kk), rounded. Cyclic coordinate descent from the nearest rounding, at most a step away: the
 * error never grows. The mean of the inputs is left to the bias.
 * [Nagel et al. 2020, eq. 13; Behdin et al. 2023, QuantEase]
 */
function roundTogether({ q, weights, at, scales }: Filters, covariance: Float32Array, size: number): void {
  let trace = 0;
  for (let k = 0; k < size; k++) trace += covariance[k * size + k]!;
  const damping = (DAMPING * trace) / size + 1e-12;
  const errors = scales.map((scale, f) =>
    Float64Array.from({ length: size }, (_, k) => weights[at + f * size + k]! - scale * q[at + f * size + k]!),
  );
  const products = productsOf(errors, covariance, size);
  for (const [f, scale] of scales.entries()) {
    const product = products[f]!;
    for (let k = 0; k < size; k++) product[k]! += errors[f]![k]! * damping;
    descend(q.subarray(at + f * size, at + (f + 1) * size), scale, product, covariance, damping);
  }
}

/** C e of up to {@link TOGETHER} vectors. */
function productsOf(errors: readonly Float64Array[], covariance: Float32Array, size: number): Float64Array[] {
  const zero = new Float64Array(size);
  const [e0 = zero, e1 = zero, e2 = zero, e3 = zero] = errors;
  const products = Array.from({ length: TOGETHER }, () => new Float64Array(size));
  const [p0, p1, p2, p3] = products as [Float64Array, Float64Array, Float64Array, Float64Array];
  for (let k = 0; k < size; k++) {
    const [a, b, c, d] = [e0[k]!, e1[k]!, e2[k]!, e3[k]!];
    for (let j = 0, from = k * size; j < size; j++) {
      const value = covariance[from + j]!;
      p0[j]! += a * value;
      p1[j]! += b * value;
      p2[j]! += c * value;
      p3[j]! += d * value;
    }
  }
  return products;
}

/** @param product (C + damping) e, kept true along the way */
function descend(q: Int8Array, scale: number, product: Float64Array, covariance: Float32Array, damping: number): void {
  const size = q.length;
  const nearest = q.slice();
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let moved = 0;
    for (let k = 0; k < size; k++) {
      const start = k * size;
      const wanted = q[k]! + product[k]! / (scale * (covariance[start + k]! + damping));
      const low = Math.max(-QMAX, nearest[k]! - 1);
      const next = Math.round(Math.min(Math.min(QMAX, nearest[k]! + 1), Math.max(low, wanted)));
      const change = next - q[k]!;
      if (change === 0) continue;
      moved++;
      q[k] = next;
      const step = scale * change;
      for (let j = 0; j < size; j++) product[j]! -= step * covariance[start + j]!;
      product[k]! -= step * damping;
    }
    if (moved === 0) break;
  }
}

/** What rounding adds to each output's mean, to be added to the bias: sum (w - s q) E[x]. */
export function meanError(
  q: Int8Array,
  weights: Float32Array,
  scales: Float32Array,
  { groups, size, mean }: Moments,
): Float64Array {
  const outputs = weights.length / size;
  return Float64Array.from({ length: outputs }, (_, o) => {
    const group = Math.floor(o / (outputs / groups));
    const scale = scales[scales.length === 1 ? 0 : o]!;
    let sum = 0;
    for (let k = 0; k < size; k++) sum += (weights[o * size + k]! - scale * q[o * size + k]!) * mean[group * size + k]!;
    return sum;
  });
}

/** Rounds all filters of a node whose weights lie output by output; in place. */
export function roundFilters(q: Int8Array, weights: Float32Array, scales: Float32Array, moments: Moments): void {
  const { groups, size } = moments;
  if (moments.covariance(0).length === 0) return;
  const each = weights.length / size / groups;
  for (let group = 0; group < groups; group++) {
    const covariance = moments.covariance(group);
    for (let o = group * each; o < (group + 1) * each; o += TOGETHER) {
      const filters = Array.from({ length: Math.min(TOGETHER, (group + 1) * each - o) }, (_, f) => o + f);
      const own = filters.map((one) => scales[scales.length === 1 ? 0 : one]!);
      roundTogether({ q, weights, at: o * size, scales: own }, covariance, size);
    }
  }
}
