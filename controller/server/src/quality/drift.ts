/** Whether what devices say is still what the evaluation said. Pure. */
import type { QualitySketch } from '@espalier/proto';
import type { DriftFigure, DriftVerdict } from '@espalier/proto/api';

/** Fewer answers than this say nothing: a class that is rare in the evaluation would not have come yet. */
export const DRIFT_SAMPLES_MIN = 200;
/** From here on a distribution is another one, by the usual reading of the index [Siddiqi 2006, stability index]. */
export const DRIFT_AT = 0.25;
const MOVED_AT = 0.1;
/** Counted to each bin, so that one that is empty on one side has a finite part. */
const HALF = 0.5;
/** Bins of confidence and entropy are compared in pairs: twenty are finer than a few hundred answers fill. */
const PAIRED = 2;

export interface Drift {
  readonly verdict: DriftVerdict;
  readonly n: number;
  readonly figures: readonly DriftFigure[];
}

/**
 * Population stability index: sum (p - q) ln(p / q) over bins. Two samples of one distribution differ by chance, on average
 * by (bins - 1)(1/n + 1/m) [Yurdakul & Naranjo 2020, eq. 3], which is taken off; never below 0.
 */
export function stabilityIndex(expected: readonly number[], seen: readonly number[]): number {
  const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
  const used = expected.flatMap((count, at) => (count + seen[at]! > 0 ? [[count, seen[at]!] as const] : []));
  const [n, m] = [total(expected) + HALF * used.length, total(seen) + HALF * used.length];
  const index = used.reduce((sum, [a, b]) => {
    const [p, q] = [(a + HALF) / n, (b + HALF) / m];
    return sum + (p - q) * Math.log(p / q);
  }, 0);
  const chance = Math.max(0, used.length - 1) * (1 / Math.max(1, total(expected)) + 1 / Math.max(1, total(seen)));
  return Math.max(0, index - chance);
}

/** @param expected of the evaluation that proved the build */
export function driftOf(expected: QualitySketch, seen: QualitySketch): Drift {
  if (expected.width !== seen.width) return { verdict: 'unknown', n: seen.n, figures: [] };
  const figures: DriftFigure[] = [
    { name: 'classes', index: stabilityIndex(...classCounts(expected, seen)), expected: null, seen: null },
    figureOf('confidence', expected.confidence, seen.confidence),
    figureOf('entropy', expected.entropy, seen.entropy),
  ];
  const most = Math.max(...figures.map(({ index }) => index));
  if (Math.min(expected.n, seen.n) < DRIFT_SAMPLES_MIN) return { verdict: 'too-few', n: seen.n, figures };
  const verdict = most >= DRIFT_AT ? 'drifted' : most >= MOVED_AT ? 'moving' : 'steady';
  return { verdict, n: seen.n, figures };
}

const figureOf = (name: DriftFigure['name'], expected: readonly number[], seen: readonly number[]): DriftFigure => ({
  ...{ name, index: stabilityIndex(paired(expected), paired(seen)) },
  ...{ expected: meanOf(expected), seen: meanOf(seen) },
});

const paired = (bins: readonly number[]): number[] =>
  Array.from({ length: bins.length / PAIRED }, (_, at) => bins[at * PAIRED]! + bins[at * PAIRED + 1]!);

/** Mean of a histogram over 0..1. */
const meanOf = (bins: readonly number[]): number | null => {
  const n = bins.reduce((sum, count) => sum + count, 0);
  return n === 0 ? null : bins.reduce((sum, count, at) => sum + (count * (at + 0.5)) / bins.length, 0) / n;
};

/** Counts of the classes that either side names, and of all others together. */
function classCounts(a: QualitySketch, b: QualitySketch): [number[], number[]] {
  const [left, right] = [new Map(a.classes), new Map(b.classes)];
  const named = [...new Set([...left.keys(), ...right.keys()])];
  const counts = (of: ReadonlyMap<number, number>, others: number): number[] => [
    ...named.map((one) => of.get(one) ?? 0),
    others,
  ];
  return [counts(left, a.others), counts(right, b.others)];
}

export interface MovedClass {
  readonly index: number;
  /** Percent of the answers. */
  readonly expected: number;
  readonly seen: number;
}

/** The classes whose share of the answers changed most, at most `most`; the furthest first. Pure. */
export function movedClasses(expected: QualitySketch, seen: QualitySketch, most: number): MovedClass[] {
  const shares = ({ classes, n }: QualitySketch) => new Map(classes.map(([one, count]) => [one, (100 * count) / n]));
  const [before, now] = [shares(expected), shares(seen)];
  return [...new Set([...before.keys(), ...now.keys()])]
    .map((index) => ({ index, expected: before.get(index) ?? 0, seen: now.get(index) ?? 0 }))
    .toSorted((a, b) => Math.abs(b.seen - b.expected) - Math.abs(a.seen - a.expected) || a.index - b.index)
    .slice(0, most);
}

/** "classes differ by 0.41, mean confidence 0.81 instead of 0.93 (differs by 0.33)": what moved, for people. */
export function driftWords({ figures, n }: Drift): string {
  const words = figures
    .filter(({ index }) => index >= MOVED_AT)
    .map(({ name, index, expected, seen }) =>
      expected === null || seen === null
        ? `${name} differ by ${index.toFixed(2)}`
        : `mean ${name} ${seen.toFixed(2)} instead of ${expected.toFixed(2)} (differs by ${index.toFixed(2)})`,
    );
  return `${words.join(', ') || 'as in the evaluation'}; ${n} answers`;
}
