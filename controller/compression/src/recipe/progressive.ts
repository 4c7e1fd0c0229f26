/** Progressive pruning: small steps with training between, each judged, with remedies when one costs too much. */
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { DataUnfit } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { globalWidths, uniformWidths } from '../prune/fit.js';
import { type OrderOptions, orderPruning, type Prunable } from '../prune/prunable.js';
import { type Pruned, type PruneTarget, pruneTo } from '../prune/prune.js';
import { nextRemedy, nextShare, type StepSettings } from '../prune/remedies.js';
import { defaultWorkers } from '../train/default-workers.js';
import type { TrainRecipe } from '../train/recipe.js';
import { describeGuessing, judgeStanding } from '../train/standing.js';
import { type TrainOptions, train } from '../train/train.js';
import { top1Of } from './top1.js';

/**
 * One in so many labelled samples judges the steps. They train too: the whole network has mostly learnt from them, and what
 * it remembers of them would pass for a loss of the pruned one.
 */
const JUDGED = 5;
const JUDGED_MAX = 2000;

/** What can be gone towards in steps. */
export type SteppedTarget = Exclude<PruneTarget, { readonly widths: unknown } | { readonly int8: number }>;

export interface ProgressiveOptions extends Omit<OrderOptions, 'data' | 'feeding'> {
  /** Where it ends. */
  readonly target: SteppedTarget;
  /** Share that one step removes. */
  readonly step: number;
  /** Points that a step may stay below the whole network. */
  readonly maxDrop: number;
  /** Samples to order and refit by. */
  readonly calibration: Dataset;
  /** Labelled samples to train on and to judge by. */
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly refit: boolean;
  /** The training after each step; it distils only as a remedy, or when it says so itself. */
  readonly recipe: TrainRecipe;
  readonly onProgress?: ((share: number, what: string) => void) | undefined;
  readonly onStep?: ((step: StepTaken) => void) | undefined;
}

export interface StepTaken {
  /** Share that is gone after it. */
  readonly removed: number;
  readonly settings: StepSettings;
  /** What was changed for it after the one before had failed. */
  readonly remedy: string | null;
  /** Points below the whole network on the judging samples. */
  readonly drop: number;
  readonly isKept: boolean;
}

export interface Progressed {
  /** The last network that was kept, against the whole one; null when not even the first step was. */
  readonly pruned: Pruned | null;
  readonly removed: number;
  readonly steps: readonly StepTaken[];
}

/** @throws ESP_DATA_UNFIT, ESP_NOTHING_PRUNABLE, ESP_PRUNE_BUDGET_MISSED, and what training throws */
export async function pruneProgressively(whole: Graph, options: ProgressiveOptions): Promise<Progressed> {
  const { data, feeding, maxDrop, target, onStep, onProgress } = options;
  const judging = judgingPart(data);
  const unfit = (why: string) => DataUnfit({ spec: data.spec, input: feeding.inputs[0]!.name, why });
  if (!judging.labels) throw unfit('training needs labels');
  const float = await top1Of(whole, judging, feeding);
  const standing = judgeStanding(float, judging.labels);
  if (standing.isGuessing) throw unfit(describeGuessing(standing));
  const first = await order(whole, options);
  const end = removedBy(target);
  const steps: StepTaken[] = [];
  let settings: StepSettings = { step: options.step, epochs: 1, distils: false };
  let kept = null as Kept | null;
  let remedy: string | null = null;
  while ((kept?.removed ?? 0) < end) {
    const done = kept?.removed ?? 0;
    const removed = nextShare(done, settings, end);
    onProgress?.(done / end, `step to ${Math.round(100 * removed)} %`);
    const graph = kept?.pruned.graph ?? whole;
    const subject = kept ? await order(graph, options) : first;
    const cut = await pruneTo(subject, { target: stepTarget(first, target, { done, removed }), refit: options.refit });
    const trained = await train(cut.graph, trainingOf(settings, whole, options));
    const drop = float - (await top1Of(trained.graph, judging, feeding));
    const taken = { removed, settings, remedy, drop, isKept: drop <= maxDrop };
    steps.push(taken);
    onStep?.(taken);
    if (taken.isKept) {
      kept = { removed, pruned: { ...since(first, kept?.pruned ?? null, cut), graph: trained.graph } };
      remedy = null;
      continue;
    }
    const next = nextRemedy(settings);
    if (!next) break;
    ({ settings, name: remedy } = next);
  }
  return { pruned: kept?.pruned ?? null, removed: kept?.removed ?? 0, steps };
}

interface Kept {
  readonly pruned: Pruned;
  readonly removed: number;
}

const order = (graph: Graph, { calibration, ...options }: ProgressiveOptions): Promise<Prunable> =>
  // Taylor's measure has a loss only where there are labels.
  orderPruning(graph, { ...options, data: options.importance === 'taylor' ? options.data : calibration });

const judgingPart = (data: Dataset): Dataset =>
  subset(
    data,
    Array.from({ length: Math.min(JUDGED_MAX, Math.ceil(data.n / JUDGED)) }, (_, at) => at * JUDGED),
  );

/** The share that a target removes in the end. */
const removedBy = (target: SteppedTarget): number => {
  if ('ratio' in target) return target.ratio;
  return 1 - ('macs' in target ? target.macs : 'weights' in target ? target.weights : target.latency);
};

/** Widths count from the whole network, budgets from the one that stands. */
function stepTarget(
  first: Prunable,
  target: SteppedTarget,
  { done, removed }: { done: number; removed: number },
): PruneTarget {
  if ('ratio' in target) return { widths: (target.global ? globalWidths : uniformWidths)(first, 1 - removed) };
  const share = (1 - removed) / (1 - done);
  if ('weights' in target) return { weights: share };
  return 'macs' in target ? { macs: share } : { latency: share, table: target.table };
}

function trainingOf(
  { epochs, distils }: StepSettings,
  teacher: Graph,
  { data, feeding, recipe, seed }: ProgressiveOptions,
): TrainOptions {
  const stages = recipe.stages.map((stage) => ({
    ...{ ...stage, epochs: stage.epochs * epochs },
    distill: stage.distill ?? (distils ? { weight: 0.9, temperature: { from: 4, to: 4 }, hints: [] } : null),
  }));
  return {
    ...{ data, input: feeding.inputs[0]!, preprocess: feeding.preprocess, seed, signal: feeding.signal },
    ...{ recipe: { ...recipe, stages }, workers: defaultWorkers() },
    teacher: stages.some(({ distill }) => distill !== null) ? teacher : null,
  };
}

/** What a cut came to, told against the whole network. */
function since({ groups }: Prunable, before: Pruned | null, cut: Pruned): Pruned {
  const width = new Map(cut.widths.map(({ group, after }) => [group, after]));
  return {
    ...cut,
    macsBefore: before?.macsBefore ?? cut.macsBefore,
    predictedUs: cut.predictedUs && { ...cut.predictedUs, before: (before ?? cut).predictedUs!.before },
    widths: groups.map(({ id, channels }) => ({
      ...{ group: id, before: channels.length, after: width.get(id) ?? 1 },
    })),
  };
}
