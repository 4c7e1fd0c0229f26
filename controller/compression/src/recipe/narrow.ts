/** The pruning step of a recipe: the narrowest network whose accuracy lasts, judged on calibration data alone. */
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { GradientMissing, NothingPrunable, PruneBudgetMissed, TrainingDiverged } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import type { PassRecord } from '../passes/index.js';
import { orderPruning, type Prunable } from '../prune/prunable.js';
import { type Pruned, pruneTo } from '../prune/prune.js';
import { top1Of } from './top1.js';
import { epochsWithin, tune } from './tune.js';

export interface NarrowOptions {
  readonly profile: HardwareProfile;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** Points of accuracy that the finished build may lose. */
  readonly maxDrop: number;
  /** Time that training may take; 0 for none. */
  readonly minutes: number;
  readonly onProgress?: ((share: number, what: string) => void) | undefined;
}

export interface Narrowed {
  readonly graph: Graph;
  /** False when nothing could be removed; the notes say why. */
  readonly isPruned: boolean;
  readonly pass: PassRecord;
  readonly notes: readonly string[];
}

/** Shares of the multiply-accumulates to keep, tried in this order until accuracy gives out. */
const SHARES = [0.85, 0.7, 0.6, 0.5, 0.4, 0.3];
/** Of the drop that is allowed, so much may go to pruning; quantization takes its part after it. */
const PRUNING_PART = 0.7;
/** Points that a few epochs of distillation have won back after a refit. */
const TUNABLE_DROP = 4;
/** Trainings of one build: the narrowest network first, then a wider one. */
const TUNINGS_MAX = 2;
/** The part of the bar that cutting takes when training follows. */
const CUTTING_PART = 0.2;
const FITTED_MAX = 300;
const JUDGED_MAX = 2000;
const JUDGED_MIN = 100;

/** The numbers of `n` samples from `from` on. */
const run = (from: number, n: number): number[] => Array.from({ length: n }, (_, at) => from + at);

interface Cut {
  readonly pruned: Pruned;
  readonly drop: number;
  /** Epochs of distillation. */
  readonly epochs: number;
}

/** What a network is narrowed by: parts of the calibration data for fitting, judging and learning. */
interface Judge {
  readonly data: Dataset;
  /** Top-1 of the whole network on it. */
  readonly float: number;
  readonly secondsPerSample: number;
  readonly limit: number;
}

export async function narrow(graph: Graph, options: NarrowOptions): Promise<Narrowed> {
  const { data, feeding, profile, maxDrop, onProgress } = options;
  const whole = (why: string): Narrowed => ({
    ...{ graph, isPruned: false, pass: { name: 'prune', applied: 0, reasons: [why] } },
    notes: [`No channels were removed: ${why}.`],
  });
  const fitted = Math.min(FITTED_MAX, Math.floor(data.n / 2));
  const judged = Math.min(JUDGED_MAX, data.n - fitted, Math.max(JUDGED_MIN, Math.floor(data.n / 4)));
  if (!data.labelled || judged < JUDGED_MIN) {
    return whole(`it takes at least ${JUDGED_MIN} labelled calibration samples beside those it is fitted to`);
  }
  const judge = await openJudge(graph, subset(data, run(fitted, judged)), feeding, PRUNING_PART * maxDrop);
  // The owner has mostly trained on samples like these, so what is compared with has seen them: the student sees all of
  // them too, or its lack of memory would pass for a loss. The report's evaluation is what holds in the end.
  const learnt = data;
  const { secondsPerSample } = judge;
  const epochs = epochsWithin({ samples: learnt.n, secondsPerSample, minutes: options.minutes / TUNINGS_MAX });
  try {
    const subject = await orderPruning(graph, {
      ...{ importance: 'obs', alignment: profile.alignment, tied: false, seed: feeding.seed },
      ...{ data: subset(data, run(0, fitted)), feeding: { ...feeding, limit: fitted } },
    });
    const part = epochs > 0 ? CUTTING_PART : 1;
    const cuts = await cutEach(
      subject,
      judge,
      epochs > 0 ? Math.max(TUNABLE_DROP, judge.limit) : judge.limit,
      (share) => onProgress?.(part * share, 'removing channels'),
    );
    const training = { data: learnt, feeding, epochs };
    const best =
      epochs > 0
        ? await tuneNarrowest(graph, cuts, judge, training, (share) =>
            onProgress?.(part + (1 - part) * share, 'training'),
          )
        : (cuts.at(-1) ?? null);
    return best ? describe(best, judged) : whole(`every width loses more than ${judge.limit.toFixed(2)} points`);
  } catch (error) {
    if (NothingPrunable.is(error) || PruneBudgetMissed.is(error)) return whole(error.message.replace(/\.$/, ''));
    throw error;
  }
}

/** Cuts to one share after the other, until one loses more than `most` points. */
async function cutEach(
  subject: Prunable,
  judge: Judge,
  most: number,
  onProgress: (share: number) => void,
): Promise<Cut[]> {
  const cuts: Cut[] = [];
  for (const [at, macs] of SHARES.entries()) {
    onProgress(at / SHARES.length);
    const pruned = await pruneTo(subject, { target: { macs }, refit: true });
    const drop = judge.float - (await top1Of(pruned.graph, judge.data, subject.feeding));
    if (drop > most) break;
    cuts.push({ pruned, drop, epochs: 0 });
  }
  return cuts;
}

/** Trains the narrowest of the cuts, then a wider one; otherwise the narrowest that lasts without. */
async function tuneNarrowest(
  teacher: Graph,
  cuts: readonly Cut[],
  judge: Judge,
  training: { data: Dataset; feeding: BatchOptions; epochs: number },
  onProgress: (share: number) => void,
): Promise<Cut | null> {
  const untrained = cuts.findLast(({ drop }) => drop <= judge.limit) ?? null;
  const narrower = cuts.slice(untrained ? cuts.indexOf(untrained) + 1 : 0).reverse();
  for (const [at, cut] of narrower.slice(0, TUNINGS_MAX).entries()) {
    const told = (share: number): void => onProgress((at + share) / TUNINGS_MAX);
    try {
      const graph = await tune(cut.pruned.graph, teacher, { ...training, onProgress: told });
      const drop = judge.float - (await top1Of(graph, judge.data, training.feeding));
      if (drop <= judge.limit) return { pruned: { ...cut.pruned, graph }, drop, epochs: training.epochs };
    } catch (error) {
      // What cannot be trained is left as it was cut.
      if (!GradientMissing.is(error) && !TrainingDiverged.is(error)) throw error;
      break;
    }
  }
  return untrained;
}

async function openJudge(graph: Graph, data: Dataset, feeding: BatchOptions, limit: number): Promise<Judge> {
  const started = performance.now();
  const float = await top1Of(graph, data, feeding);
  return { data, float, limit, secondsPerSample: (performance.now() - started) / 1000 / data.n };
}

function describe({ pruned, drop, epochs }: Cut, judged: number): Narrowed {
  const { graph, widths, macsBefore, macsAfter, refitted } = pruned;
  const cut = widths.filter(({ before, after }) => after < before);
  const gone = Math.round(100 * (1 - macsAfter / macsBefore));
  const trained = epochs > 0 ? `distilled for ${epochs} epochs from the whole network` : 'not trained';
  return {
    graph,
    isPruned: true,
    pass: {
      name: 'prune',
      applied: cut.reduce((sum, { before, after }) => sum + before - after, 0),
      reasons: cut.map(({ group, before, after }) => `${group}: ${before} channels became ${after}`),
    },
    notes: [
      `Channels with ${gone}% of the multiply-accumulates were removed, ${refitted.length} layers refitted, and the network ` +
        `${trained}; on ${judged} samples of the calibration data this lost ${drop.toFixed(2)} points.`,
    ],
  };
}
