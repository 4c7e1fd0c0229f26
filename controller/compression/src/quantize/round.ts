import type { Moments } from './moments.js';

const QMAX = 127;
/** Sweeps over all weights of a filter; the error hardly falls after the second. */
const SWEEPS = 2;
/** Added to the diagonal, as a share of its mean: inputs that never vary leave their weights at the nearest. */
const DAMPING = 0.01;

/**
 * Rounds one filter so that its output error e C e^T is least, where e = w - s q and C is the covariance of its
 * inputs: the objective of AdaRound, whose gradient in q_k is -2 s (C e)_k, so that the best q_k with all others held
 * is q_k + (C e)_k / (s C_kk), rounded. Cyclic coordinate descent from the nearest rounding: the error never grows.
 * The mean of the inputs is left to the bias. In place.
 * [Nagel et al. 2020, eq. 13; Behdin et al. 2023, QuantEase]
 * @param q K whole numbers from `at`
 * @param limit steps a weight may move away from its nearest value
 */
export function roundFilter(
  q: Int8Array,
  weights: Float32Array,
  at: number,
  scale: number,
  covariance: Float32Array,
  size: number,
  limit = 1,
): void {
  const row = (k: number): number => k * size;
  let trace = 0;
  for (let k = 0; k < size; k++) trace += covariance[row(k) + k]!;
  const damping = (DAMPING * trace) / size + 1e-12;
  const error = new Float64Array(size);
  for (let k = 0; k < size; k++) error[k] = weights[at + k]! - scale * q[at + k]!;
  const product = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    const e = error[k]!;
    if (e === 0) continue;
    const start = row(k);
    for (let j = 0; j < size; j++) product[j]! += e * covariance[start + j]!;
    product[k]! += e * damping;
  }
  const nearest = q.slice(at, at + size);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let moved = 0;
    for (let k = 0; k < size; k++) {
      const start = row(k);
      const wanted = q[at + k]! + product[k]! / (scale * (covariance[start + k]! + damping));
      const low = Math.max(-QMAX, nearest[k]! - limit);
      const next = Math.round(Math.min(Math.min(QMAX, nearest[k]! + limit), Math.max(low, wanted)));
      const change = next - q[at + k]!;
      if (change === 0) continue;
      moved++;
      q[at + k] = next;
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

/** Products that fitting one node may take: more, in a classifier's last layer, costs seconds and gains little. */
const WORK_MAX = 4e8;

/** Rounds all filters of a node whose weights lie output by output; in place. */
export function roundFilters(q: Int8Array, weights: Float32Array, scales: Float32Array, moments: Moments): void {
  const { groups, size } = moments;
  if (weights.length * size > WORK_MAX) return;
  const each = weights.length / size / groups;
  for (let group = 0; group < groups; group++) {
    const covariance = moments.covariance(group);
    for (let o = group * each; o < (group + 1) * each; o++) {
      roundFilter(q, weights, o * size, scales[scales.length === 1 ? 0 : o]!, covariance, size);
    }
  }
}
