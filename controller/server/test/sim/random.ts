/** Random numbers that a seed gives again. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  between(low: number, high: number): number;
  chance(share: number): boolean;
  /** Normal, by twelve uniform numbers. */
  normal(mean: number, deviation: number): number;
  pick<T>(all: readonly T[]): T;
}

/** mulberry32 [Ettinger 2017]. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + (high - low) * next();
  return {
    ...{ next, between, chance: (share) => next() < share },
    normal: (mean, deviation) => mean + deviation * (Array.from({ length: 12 }, next).reduce((a, b) => a + b, 0) - 6),
    pick: (all) => all[Math.floor(next() * all.length)]!,
  };
}
