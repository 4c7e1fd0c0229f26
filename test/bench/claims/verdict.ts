/** What a claim's effects say about it. Pure. */
export type Verdict = 'reproduced' | 'only when' | 'refuted';

export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export const spreadOf = (effects: readonly number[]): Spread => ({
  mean: effects.reduce((sum, effect) => sum + effect, 0) / effects.length,
  low: Math.min(...effects),
  high: Math.max(...effects),
});

/**
 * Reproduced: what is claimed is reached on average, and no seed points the other way. Refuted: some seed shows nothing at
 * all, or the average has the other sign. Between them there is an effect in every seed, and less than claimed.
 * @param claimed a gain, or, below zero, the most that is lost
 */
export function verdictOf({ mean, low }: Spread, claimed: number): Verdict {
  if (claimed < 0) return mean >= claimed ? 'reproduced' : 'refuted';
  if (mean >= claimed && low > 0) return 'reproduced';
  return low > 0 ? 'only when' : 'refuted';
}
