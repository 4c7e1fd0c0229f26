/** The pruning step of a recipe: the narrowest network whose accuracy lasts, judged on calibration data alone. */
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { NothingPrunable, PruneBudgetMissed } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { PassRecord } from '../passes/index.js';
import { orderPruning } from '../prune/prunable.js';
import { type Pruned, pruneTo } from '../prune/prune.js';
import { Session } from '../runtime/session.js';
import { compare } from './accuracy.js';

export interface NarrowOptions {
  readonly profile: HardwareProfile;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** Points of accuracy that the finished build may lose. */
  readonly maxDrop: number;
  readonly onProgress?: ((share: number) => void) | undefined;
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
const FITTED_MAX = 300;
const JUDGED_MAX = 2000;
const JUDGED_MIN = 100;

/** The numbers of `n` samples from `from` on. */
const run = (from: number, n: number): number[] => Array.from({ length: n }, (_, at) => from + at);

export async function narrow(graph: Graph, options: NarrowOptions): Promise<Narrowed> {
  const { data, feeding, profile, maxDrop, onProgress } = options;
  const whole = (why: string): Narrowed => ({
    ...{ graph, isPruned: false, pass: { name: 'prune', applied: 0, reasons: [why] } },
    notes: [`No channels were removed: ${why}.`],
  });
  const fitted = Math.min(FITTED_MAX, Math.floor(data.n / 2));
  const judged = Math.min(JUDGED_MAX, data.n - fitted);
  if (!data.labelled || judged < JUDGED_MIN) {
    return whole(`it takes at least ${JUDGED_MIN} labelled calibration samples beside those it is fitted to`);
  }
  const judge = subset(data, run(fitted, judged));
  const limit = PRUNING_PART * maxDrop;
  const float = await accuracyOf(graph, judge, feeding);
  try {
    const subject = await orderPruning(graph, {
      ...{ importance: 'obs', alignment: profile.alignment, tied: false, seed: feeding.seed },
      ...{ data: subset(data, run(0, fitted)), feeding: { ...feeding, limit: fitted } },
    });
    let best: { pruned: Pruned; drop: number } | null = null;
    for (const [at, macs] of SHARES.entries()) {
      onProgress?.(at / SHARES.length);
      const pruned = await pruneTo(subject, { target: { macs }, refit: true });
      const drop = float - (await accuracyOf(pruned.graph, judge, feeding));
      if (drop > limit) break;
      best = { pruned, drop };
    }
    return best
      ? describe(best.pruned, best.drop, judged)
      : whole(`every width loses more than ${limit.toFixed(2)} points`);
  } catch (error) {
    if (NothingPrunable.is(error) || PruneBudgetMissed.is(error)) return whole(error.message.replace(/\.$/, ''));
    throw error;
  }
}

/** Top-1 of a network on labelled samples, in percent. */
async function accuracyOf(graph: Graph, data: Dataset, feeding: BatchOptions): Promise<number> {
  const session = await Session.open(encodeModel(graph), 'the pruned model');
  try {
    const { limit: _, ...all } = feeding;
    return (await compare(session, session, data, all)).top1 ?? 0;
  } finally {
    await session.dispose();
  }
}

function describe({ graph, widths, macsBefore, macsAfter, refitted }: Pruned, drop: number, judged: number): Narrowed {
  const cut = widths.filter(({ before, after }) => after < before);
  const gone = Math.round(100 * (1 - macsAfter / macsBefore));
  return {
    graph,
    isPruned: true,
    pass: {
      name: 'prune',
      applied: cut.reduce((sum, { before, after }) => sum + before - after, 0),
      reasons: cut.map(({ group, before, after }) => `${group}: ${before} channels became ${after}`),
    },
    notes: [
      `Channels with ${gone}% of the multiply-accumulates were removed and ${refitted.length} layers refitted without training; ` +
        `on ${judged} samples of the calibration data this lost ${drop.toFixed(2)} points.`,
    ],
  };
}
