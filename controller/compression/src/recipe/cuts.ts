/** Candidates for a narrower network: cut, perhaps trained, and judged against the whole one. */
import type { LatencyTable } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { GradientMissing, PruneBudgetMissed, TrainingDiverged } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { Prunable } from '../prune/prunable.js';
import { type Pruned, pruneTo } from '../prune/prune.js';
import { Session } from '../runtime/session.js';
import { compare } from './accuracy.js';
import { top1Of } from './top1.js';
import { epochsWithin, paceOf, TUNED_SAMPLES_MIN, tune } from './tune.js';

/** Shares of the latency, or of the multiply-accumulates, to keep, tried in this order until accuracy gives out. */
const SHARES = [0.85, 0.7, 0.6, 0.5, 0.4, 0.3];
/** Trainings of one build: the narrowest network first, then a wider one. */
export const TUNINGS_MAX = 2;
/** Epochs that a network cut to a size has paid for, and their rate: it has more to win back than one that lost little. */
const SHRUNK_EPOCHS_MAX = 30;
const SHRUNK_RATE = 0.02;
/** The part of the bar that cutting takes when training follows. */
export const CUTTING_PART = 0.2;
/** @param loss of a training step; null while nothing is trained */
export type NarrowProgress = (share: number, what: string, loss: number | null) => void;

export interface Cut {
  readonly pruned: Pruned;
  readonly drop: number;
  /** Epochs of distillation. */
  readonly epochs: number;
}

export interface Training {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly epochs: number;
}

/** Training for a size: as much as the time allows. */
export interface Shrinking extends Omit<Training, 'epochs'> {
  readonly sizeShare: number;
  readonly minutes: number;
}

/** What a network is narrowed by: parts of the calibration data for fitting, judging and learning. */
export interface Judge {
  readonly data: Dataset;
  readonly whole: Graph;
  /** Accuracy of the whole network on it. */
  readonly float: number;
  readonly secondsPerSample: number;
  readonly limit: number;
}

/** Cuts to a share of the int8 file and trains what is left; the caller asked for the size, whatever it costs. */
export async function shrink(
  subject: Prunable,
  teacher: Graph,
  judge: Judge,
  { sizeShare, minutes, ...training }: Shrinking,
  onProgress?: NarrowProgress,
): Promise<Cut> {
  onProgress?.(0, 'removing channels', null);
  // A size that no widths reach is answered by the nearest that they do.
  const pruned = await pruneTo(subject, { target: { int8: sizeShare }, refit: true, orNearest: true });
  const told = (share: number, loss: number | null): void =>
    onProgress?.(CUTTING_PART + (1 - CUTTING_PART) * share, 'training', loss);
  const isTaught = minutes > 0 && training.data.n >= TUNED_SAMPLES_MIN;
  const secondsPerSample = isTaught ? await paceOf(pruned.graph, teacher, training) : 1;
  const epochs = epochsWithin({ samples: training.data.n, secondsPerSample, minutes }, SHRUNK_EPOCHS_MAX);
  const learning = { ...training, epochs, rate: SHRUNK_RATE, onProgress: told };
  const graph = epochs > 0 ? await tune(pruned.graph, teacher, learning) : pruned.graph;
  return {
    pruned: { ...pruned, graph },
    drop: judge.float - (await accuracyOf(graph, judge, subject.feeding)),
    epochs,
  };
}

/** Cuts to one share after the other, until one loses more than `most` points. */
export async function cutEach(
  subject: Prunable,
  judge: Judge,
  table: LatencyTable | null,
  most: number,
  onProgress: (share: number) => void,
): Promise<Cut[]> {
  const cuts: Cut[] = [];
  for (const [at, share] of SHARES.entries()) {
    onProgress(at / SHARES.length);
    const target = table ? { latency: share, table } : { macs: share };
    const pruned = await pruneTo(subject, { target, refit: true }).catch((error: unknown) => {
      // Below some share no width is left; a table with a high fixed cost comes to it soon.
      if (PruneBudgetMissed.is(error) && cuts.length > 0) return null;
      throw error;
    });
    if (!pruned) break;
    const drop = judge.float - (await accuracyOf(pruned.graph, judge, subject.feeding));
    if (drop > most) break;
    cuts.push({ pruned, drop, epochs: 0 });
  }
  return cuts;
}

/** Trains the narrowest of the cuts, then a wider one; otherwise the narrowest that lasts without. */
export async function tuneNarrowest(
  teacher: Graph,
  cuts: readonly Cut[],
  judge: Judge,
  training: Training,
  onProgress: (share: number, loss: number | null) => void,
): Promise<Cut | null> {
  const untrained = cuts.findLast(({ drop }) => drop <= judge.limit) ?? null;
  const narrower = cuts.slice(untrained ? cuts.indexOf(untrained) + 1 : 0).reverse();
  for (const [at, cut] of narrower.slice(0, TUNINGS_MAX).entries()) {
    const told = (share: number, loss: number | null): void => onProgress((at + share) / TUNINGS_MAX, loss);
    try {
      const graph = await tune(cut.pruned.graph, teacher, { ...training, onProgress: told });
      const drop = judge.float - (await accuracyOf(graph, judge, training.feeding));
      if (drop <= judge.limit) return { pruned: { ...cut.pruned, graph }, drop, epochs: training.epochs };
    } catch (error) {
      // What cannot be trained is left as it was cut.
      if (!GradientMissing.is(error) && !TrainingDiverged.is(error)) throw error;
      break;
    }
  }
  return untrained;
}

export async function openJudge(graph: Graph, data: Dataset, feeding: BatchOptions, limit: number): Promise<Judge> {
  const started = performance.now();
  const float = await accuracyOf(graph, { data, whole: graph }, feeding);
  return { data, whole: graph, float, limit, secondsPerSample: (performance.now() - started) / 1000 / data.n };
}

/** Top-1 of a network where there are labels, else its agreement with the whole one; percent. */
async function accuracyOf(
  graph: Graph,
  { data, whole }: Pick<Judge, 'data' | 'whole'>,
  feeding: BatchOptions,
): Promise<number> {
  if (data.labelled) return top1Of(graph, data, feeding);
  const [reference, session] = [
    await Session.open(encodeModel(whole), 'the whole model'),
    await Session.open(encodeModel(graph), 'the pruned model'),
  ];
  try {
    const { limit: _, ...all } = feeding;
    return (await compare(reference, session, data, all)).agreement ?? 0;
  } finally {
    await Promise.all([reference.dispose(), session.dispose()]);
  }
}
