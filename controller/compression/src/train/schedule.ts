/** How the learning rate and the temperature go over a training; pure functions of the step. */

/**
 * Factor of the learning rate: up in a straight line over the warm-up, and down along half a cosine over the whole
 * [Loshchilov and Hutter 2017]. @param warmup share of the steps
 */
export function rateFactor(step: number, steps: number, warmup: number): number {
  const rise = warmup > 0 ? Math.min(1, (step + 1) / (warmup * steps)) : 1;
  return rise * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
}

/** Temperature of the distillation, in a straight line over the whole training. */
export const temperatureAt = (step: number, steps: number, from: number, to: number): number =>
  steps > 1 ? from + ((to - from) * step) / (steps - 1) : from;

/** The numbers 0..n-1 in an order drawn with `random` [Fisher and Yates]. */
export function shuffled(n: number, random: () => number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, at) => at);
  for (let last = n - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/** A seed of its own for each epoch, so that a training that goes on at an epoch draws what it would have drawn. */
export const seedOfEpoch = (seed: number, epoch: number): number => (Math.imul(seed + 1, 0x9e3779b1) ^ epoch) >>> 0;
