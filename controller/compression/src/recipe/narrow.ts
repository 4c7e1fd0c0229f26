/** The pruning step of a recipe: the narrowest network whose accuracy lasts, judged on calibration data alone. */
import type { LatencyOrigin, LatencyTable } from '@espalier/proto';
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { NothingPrunable, PruneBudgetMissed } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import type { PassRecord } from '../passes/index.js';
import { orderPruning } from '../prune/prunable.js';
import {
  CUTTING_PART,
  type Cut,
  cutEach,
  type NarrowProgress,
  openJudge,
  shrink,
  TUNINGS_MAX,
  tuneNarrowest,
} from './cuts.js';
import { epochsWithin, STEP_IN_FORWARDS } from './tune.js';

export interface NarrowOptions {
  readonly profile: HardwareProfile;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** Points of accuracy that the finished build may lose. */
  readonly maxDrop: number;
  /** Share to keep of what widths decide of the int8 file, whatever that loses; null for as few multiply-accumulates as accuracy allows. */
  readonly sizeShare?: number | null;
  /** What devices measured; without one, widths are chosen by multiply-accumulates. */
  readonly table: LatencyTable | null;
  /** Time that training may take; 0 for none. */
  readonly minutes: number;
  readonly onProgress?: NarrowProgress | undefined;
}

export interface Narrowed {
  readonly graph: Graph;
  /** False when nothing could be removed; the notes say why. */
  readonly isPruned: boolean;
  readonly pass: PassRecord;
  readonly notes: readonly string[];
  /** Latency of the narrowed network by the table, in microseconds. */
  readonly predictedUs: number | null;
}

/** Of the drop that is allowed, so much may go to pruning; quantization takes its part after it. */
const PRUNING_PART = 0.7;
/** Points of agreement that may be lost where there are no labels: a person decides whether such a build is worth it. */
const OFFERED_DROP = 5;
/** Points that a few epochs of distillation have won back after a refit. */
const TUNABLE_DROP = 4;
/** Epochs that have paid for a network that lost little. */
const TUNED_EPOCHS_MAX = 4;
const FITTED_MAX = 300;
const JUDGED_MAX = 2000;
const JUDGED_MIN = 100;

/** The numbers of `n` samples from `from` on. */
const run = (from: number, n: number): number[] => Array.from({ length: n }, (_, at) => from + at);

export async function narrow(graph: Graph, options: NarrowOptions): Promise<Narrowed> {
  const { data, feeding, profile, maxDrop, onProgress } = options;
  const whole = (why: string): Narrowed => ({
    ...{ graph, isPruned: false, pass: { name: 'prune', applied: 0, reasons: [why] } },
    ...{ notes: [`No channels were removed: ${why}.`], predictedUs: null },
  });
  const fitted = Math.min(FITTED_MAX, Math.floor(data.n / 2));
  const judged = Math.min(JUDGED_MAX, data.n - fitted, Math.max(JUDGED_MIN, Math.floor(data.n / 4)));
  if (judged < JUDGED_MIN) {
    return whole(`it takes at least ${JUDGED_MIN} calibration samples beside those it is fitted to`);
  }
  const allowed = PRUNING_PART * maxDrop;
  const limit = data.labelled ? allowed : Math.max(allowed, OFFERED_DROP);
  const judge = await openJudge(graph, subset(data, run(fitted, judged)), feeding, limit);
  // The owner has mostly trained on samples like these, so what is compared with has seen them: the student sees all of
  // them too, or its lack of memory would pass for a loss. The report's evaluation is what holds in the end.
  const learnt = data;
  const secondsPerSample = STEP_IN_FORWARDS * judge.secondsPerSample;
  const { sizeShare = null } = options;
  const minutes = data.labelled ? options.minutes : 0;
  const allowance = { samples: learnt.n, secondsPerSample, minutes: minutes / TUNINGS_MAX };
  const epochs = epochsWithin(allowance, TUNED_EPOCHS_MAX);
  try {
    const subject = await orderPruning(graph, {
      ...{ importance: 'obs', alignment: profile.alignment, tied: sizeShare !== null, seed: feeding.seed },
      ...{ data: subset(data, run(0, fitted)), feeding: { ...feeding, limit: fitted } },
    });
    if (sizeShare !== null) {
      const shrinking = { data: learnt, feeding, minutes, sizeShare };
      const cut = await shrink(subject, graph, judge, shrinking, onProgress);
      return describe(cut, judged, data.labelled, 'measured');
    }
    const part = epochs > 0 ? CUTTING_PART : 1;
    const cuts = await cutEach(
      subject,
      judge,
      options.table,
      epochs > 0 ? Math.max(TUNABLE_DROP, judge.limit) : judge.limit,
      (share) => onProgress?.(part * share, 'removing channels', null),
    );
    const best =
      epochs > 0
        ? await tuneNarrowest(graph, cuts, judge, { data: learnt, feeding, epochs }, (share, loss) =>
            onProgress?.(part + (1 - part) * share, 'training', loss),
          )
        : (cuts.at(-1) ?? null);
    return best
      ? describe(
          best,
          judged,
          data.labelled,
          options.table?.rows.find(({ origin }) => origin !== 'measured')?.origin ?? 'measured',
        )
      : whole(`every width loses more than ${judge.limit.toFixed(2)} points`);
  } catch (error) {
    if (NothingPrunable.is(error) || PruneBudgetMissed.is(error)) return whole(error.message.replace(/\.$/, ''));
    throw error;
  }
}

const TABLES = {
  measured: 'measured latency table',
  compiler: 'latency table of a compiler, which no device measured',
  roofline: 'latency table from a roofline, which no device measured',
} as const;

function describe({ pruned, drop, epochs }: Cut, judged: number, labelled: boolean, origin: LatencyOrigin): Narrowed {
  const { graph, widths, macsBefore, macsAfter, refitted, predictedUs } = pruned;
  const cut = widths.filter(({ before, after }) => after < before);
  const gone = Math.round(100 * (1 - macsAfter / macsBefore));
  const trained = epochs > 0 ? `distilled for ${epochs} epochs from the whole network` : 'not trained';
  const by = predictedUs
    ? ` Widths were chosen along a ${TABLES[origin]}, which predicts ${Math.round(predictedUs.after)} us instead of ${Math.round(predictedUs.before)} us.`
    : '';
  return {
    ...{ graph, isPruned: true, predictedUs: predictedUs?.after ?? null },
    pass: {
      name: 'prune',
      applied: cut.reduce((sum, { before, after }) => sum + before - after, 0),
      reasons: cut.map(({ group, before, after }) => `${group}: ${before} channels became ${after}`),
    },
    notes: [
      `Channels with ${gone}% of the multiply-accumulates were removed, ${refitted.length} layers refitted, and the network ` +
        `${trained}; on ${judged} samples of the calibration data this lost ${drop.toFixed(2)} points${labelled ? '' : ' of agreement with float'}.${by}`,
    ],
  };
}
