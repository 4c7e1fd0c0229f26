/** How sure an exit must be: thresholds with the least cost within an allowed loss of accuracy. Pure. */
import { confidenceOf } from '@espalier/proto';
import { argmax } from '../recipe/accuracy.js';

/** Logits of every sample at one exit, [n, classes], and how its confidence is read. */
export interface ExitLogits {
  readonly logits: Float32Array;
  readonly temperature: number;
}

const TEMPERATURE_MIN = 0.05;
const TEMPERATURE_MAX = 20;
const TEMPERATURE_STEPS = 40;
/** One-sided, 95%. */
const Z = 1.645;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Mean -log of the share that softmax(logits / temperature) gives to the label. */
function meanLoss(logits: Float32Array, labels: ArrayLike<number>, temperature: number): number {
  const classes = logits.length / labels.length;
  let sum = 0;
  for (let at = 0; at < labels.length; at++) {
    const row = logits.subarray(at * classes, (at + 1) * classes);
    const most = argmax(row, 0, classes);
    const below = (row[most]! - row[labels[at]!]!) / temperature;
    sum += below - Math.log(confidenceOf(row, temperature));
  }
  return sum / labels.length;
}

/** The temperature at which the confidences fit the labels best [Guo et al. 2017], by golden-section search in its log. */
export function fitTemperature(logits: Float32Array, labels: ArrayLike<number>): number {
  const loss = (log: number): number => meanLoss(logits, labels, Math.exp(log));
  let [low, high] = [Math.log(TEMPERATURE_MIN), Math.log(TEMPERATURE_MAX)];
  for (let step = 0; step < TEMPERATURE_STEPS; step++) {
    const width = GOLDEN * (high - low);
    if (loss(high - width) <= loss(low + width)) high = low + width;
    else low = high - width;
  }
  return Math.exp((low + high) / 2);
}

export interface ThresholdProblem {
  /** The early exits in their order. */
  readonly exits: readonly ExitLogits[];
  /** Of the last stage, [n, classes]. */
  readonly last: Float32Array;
  readonly labels: ArrayLike<number>;
  /** 1 where the network without exits was right. */
  readonly wholeRight: ArrayLike<number>;
  /** Cost of a sample that ends at each exit, and of one that goes through: one more than exits. */
  readonly costs: readonly number[];
  /** Points of accuracy that may be lost against the network without exits. */
  readonly maxDrop: number;
}

export interface ThresholdChoice {
  /** null: nothing ends there. */
  readonly thresholds: readonly (number | null)[];
  /** Percent of the samples. */
  readonly accuracy: number;
  readonly meanCost: number;
  /** Samples that end at each exit, and at the last stage. */
  readonly histogram: readonly number[];
}

/** Thresholds that are tried at each exit: fewer where all combinations of more exits are gone through. */
const LEVELS: readonly number[] = [0, 256, 64, 20];
export const EXITS_MAX = LEVELS.length - 1;

interface SeenExit {
  readonly confidence: Float64Array;
  readonly right: Uint8Array;
}

/** 1 where the largest logit is the label's. @param logits [n, classes] */
export function rightOf(logits: Float32Array, labels: ArrayLike<number>): Uint8Array {
  const classes = logits.length / labels.length;
  return Uint8Array.from(labels, (label, at) => (argmax(logits, at * classes, classes) === label ? 1 : 0));
}

function seenAt({ logits, temperature }: ExitLogits, labels: ArrayLike<number>): SeenExit {
  const classes = logits.length / labels.length;
  const confidence = Float64Array.from({ length: labels.length }, (_, at) =>
    confidenceOf(logits.subarray(at * classes, (at + 1) * classes), temperature),
  );
  return { confidence, right: rightOf(logits, labels) };
}

/** Confidences at equal steps of rank; the last entry lets nothing end. */
function levelsOf({ confidence }: SeenExit, count: number): number[] {
  const sorted = [...confidence].sort((a, b) => a - b);
  const levels = Array.from({ length: count }, (_, at) => sorted[Math.floor((at * sorted.length) / count)]!);
  return [...new Set(levels), Number.POSITIVE_INFINITY];
}

interface Tally {
  right: number;
  /** Samples that the network without exits got right and these do not, and the other way round. */
  broken: number;
  fixed: number;
  readonly histogram: number[];
}

/** What some thresholds come to. */
function tally(
  exits: readonly SeenExit[],
  last: Uint8Array,
  wholeRight: ArrayLike<number>,
  thresholds: readonly number[],
): Tally {
  const histogram = new Array<number>(exits.length + 1).fill(0);
  let [right, broken, fixed] = [0, 0, 0];
  for (let sample = 0; sample < last.length; sample++) {
    let at = 0;
    while (at < exits.length && exits[at]!.confidence[sample]! < thresholds[at]!) at++;
    histogram[at]!++;
    const isRight = (exits[at]?.right ?? last)[sample]!;
    right += isRight;
    if (isRight < wholeRight[sample]!) broken++;
    if (isRight > wholeRight[sample]!) fixed++;
  }
  return { right, broken, fixed, histogram };
}

/**
 * Points lost at most, with the confidence of Z: thresholds that were chosen as the best of many look better on their own
 * samples than elsewhere. Normal bound of a paired difference of proportions.
 */
function lossBound({ broken, fixed }: Tally, n: number): number {
  const mean = (broken - fixed) / n;
  const variance = (broken + fixed) / n - mean * mean;
  return 100 * (mean + Z * Math.sqrt(Math.max(0, variance) / n));
}

function* combinations(levels: readonly (readonly number[])[]): Generator<number[]> {
  const [first, ...rest] = levels;
  if (!first) return yield [];
  for (const others of combinations(rest)) for (const level of first) yield [level, ...others];
}

/** The cheapest thresholds that lose no more than is allowed; where all do, nothing ends early. */
export function chooseThresholds(problem: ThresholdProblem): ThresholdChoice {
  const { labels, costs, maxDrop, wholeRight } = problem;
  const exits = problem.exits.map((exit) => seenAt(exit, labels));
  const last = rightOf(problem.last, labels);
  const levels = exits.map((exit) => levelsOf(exit, LEVELS[exits.length] ?? 2));
  const choiceOf = (thresholds: readonly number[]): ThresholdChoice & { readonly loss: number } => {
    const seen = tally(exits, last, wholeRight, thresholds);
    const cost = seen.histogram.reduce((sum, count, at) => sum + count * costs[at]!, 0);
    return {
      ...{ accuracy: (100 * seen.right) / labels.length, meanCost: cost / labels.length, histogram: seen.histogram },
      thresholds: thresholds.map((level) => (level === Number.POSITIVE_INFINITY ? null : level)),
      loss: lossBound(seen, labels.length),
    };
  };
  let best = choiceOf(exits.map(() => Number.POSITIVE_INFINITY));
  for (const thresholds of combinations(levels)) {
    const choice = choiceOf(thresholds);
    if (choice.loss > maxDrop) continue;
    const cheaper = choice.meanCost - best.meanCost;
    if (cheaper < 0 || (cheaper === 0 && choice.accuracy > best.accuracy)) best = choice;
  }
  return best;
}
