/** Bins that a candidate range is reduced to. */
const LEVELS = 128;
/** Bins by which candidates differ. */
const STRIDE = 16;

/** Bins [start, end) of a histogram. */
export interface Cut {
  readonly start: number;
  readonly end: number;
}

/**
 * The range that loses the least information: the histogram cut to [start, end), with what lies outside folded into its
 * edge bins, against the same cut reduced to 128 levels and spread over the bins again that hold anything, by the
 * Kullback-Leibler divergence of the two. Both ends draw in from the extremes in proportion, towards the bin of zero.
 * Zero is exact in every range, and a Relu may make half of a tensor zero: that bin counts as its neighbour does, or it
 * alone would decide.
 * [Migacz 2017, "8-bit inference with TensorRT"]
 * @param zero the bin that holds zero, which every range keeps
 */
export function leastDivergence(given: Float64Array, zero: number): Cut {
  const counts = given.slice();
  counts[zero] = counts[zero + 1] ?? counts[zero - 1] ?? 0;
  let best: Cut = { start: 0, end: counts.length };
  let least = Number.POSITIVE_INFINITY;
  for (let width = counts.length; width >= LEVELS; width -= STRIDE) {
    const start = Math.floor(zero * (1 - width / counts.length));
    const cut = { start, end: Math.min(counts.length, start + width) };
    const found = divergence(counts, cut);
    if (found < least) [least, best] = [found, cut];
  }
  return best;
}

/** KL(P || Q) of a cut and its reduction to {@link LEVELS}, in nats. */
function divergence(counts: Float64Array, { start, end }: Cut): number {
  const width = end - start;
  const p = counts.slice(start, end);
  for (let bin = 0; bin < start; bin++) p[0]! += counts[bin]!;
  for (let bin = end; bin < counts.length; bin++) p[width - 1]! += counts[bin]!;
  const total = p.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let [sum, kept] = [0, 0];
  for (let level = 0; level < LEVELS; level++) {
    const [from, to] = [Math.floor((level * width) / LEVELS), Math.floor(((level + 1) * width) / LEVELS)];
    let [mass, held] = [0, 0];
    for (let bin = from; bin < to; bin++) {
      mass += counts[start + bin]!;
      if (p[bin]! > 0) held++;
    }
    // Where all of a level was folded in, Q has next to nothing for it: a large divergence, but not an infinite one.
    const each = Math.max(mass / Math.max(1, held), 1e-9);
    kept += each * held;
    for (let bin = from; bin < to; bin++) if (p[bin]! > 0) sum += p[bin]! * Math.log(p[bin]! / each);
  }
  return sum / total - Math.log(total / kept);
}
