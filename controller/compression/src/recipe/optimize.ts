/** The search over recipes for one profile: each is built and proven, and the budgets decide. */
import path from 'node:path';
import type { Preprocess, Recipe, Report, TensorSpec } from '@espalier/proto';
import { parseSpec } from '../data/spec.js';
import { SpecInvalid } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { readModel } from '../onnx/codec.js';
import { int8Cost } from '../prune/macs.js';
import { type Budgets, type Figures, missedBy, misses } from '../search/budgets.js';
import { buildVariant } from './build.js';
import type { Progress } from './options.js';
import { type Proposal, proposeSmaller } from './propose.js';
import { type Sizes, sizeShareFor } from './size-share.js';

/** What a recipe came to. */
export interface Point extends Figures {
  readonly recipe: Recipe;
  readonly top1: number | null;
}

/**
 * The point to take: of those that meet every budget the most accurate when a latency or a size is asked for, otherwise the
 * fastest; where none does, the one that misses by least. Pure.
 */
export function choosePoint(points: readonly Point[], budgets: Budgets): { point: Point; met: boolean } {
  const missed = (point: Point): number => missedBy(point, budgets);
  const meeting = points.filter((point) => missed(point) === 0);
  const isBound = budgets.latencyUs !== null || budgets.sizeRatio !== null;
  const worth = (point: Point): number => (isBound ? -(point.drop ?? 0) : (point.speedup ?? point.sizeRatio));
  if (meeting.length > 0) return { point: meeting.reduce((a, b) => (worth(b) > worth(a) ? b : a)), met: true };
  return { point: points.reduce((a, b) => (missed(b) < missed(a) ? b : a)), met: false };
}

/** One in five samples is for the evaluation, the others for all that is fitted and chosen. */
const EVALUATED = 5;

/** Two SPECs of one: to fit by and to judge by. @throws ESP_DATA_SPEC_INVALID when it chooses each K-th already */
export function splitSpec(text: string): { fit: string; judge: string } {
  const { every, notEvery } = parseSpec(text);
  if (every !== null || notEvery !== null) {
    throw SpecInvalid({
      spec: text,
      why: 'every and not-every are used here to split it; give a range with from and to',
    });
  }
  const joint = text.includes('?') ? '&' : '?';
  return { fit: `${text}${joint}not-every=${EVALUATED}`, judge: `${text}${joint}every=${EVALUATED}` };
}

export interface OptimizeOptions {
  readonly modelPath: string;
  readonly modelName: string;
  readonly profile: HardwareProfile;
  readonly data: string;
  readonly preprocess: Preprocess | null;
  readonly budgets: Budgets;
  readonly minutes: number;
  readonly outDir: string;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** After each recipe, so that the front can be seen growing. */
  readonly onPoint?: ((point: Point) => void) | undefined;
}

export interface Optimized {
  readonly points: readonly Point[];
  readonly chosen: Point;
  readonly met: boolean;
  readonly missed: Partial<Record<keyof Budgets, number>>;
  /** Smaller members of the family that would likely keep to a missed latency. */
  readonly proposals: readonly Proposal[];
  readonly report: Report;
  /** Folder of the chosen artifact. */
  readonly folder: string;
}

const RECIPES: readonly Recipe[] = ['float', 'int8', 'pruned-int8'];

/** Builds each recipe into a folder of its own below `outDir`. Throws the coded errors of the builds. */
export async function optimize(options: OptimizeOptions): Promise<Optimized> {
  const { budgets, data, onPoint, outDir, ...build } = options;
  const { fit, judge } = splitSpec(data);
  const built: { point: Point; report: Report; folder: string }[] = [];
  let side: number | null = null;
  for (const recipe of RECIPES) {
    const int8 = built.find(({ point }) => point.recipe === 'int8');
    const compact = budgets.sizeRatio !== null;
    const isCut = compact && recipe === 'pruned-int8' && int8;
    const sizeShare = isCut ? sizeShareFor(budgets.sizeRatio, await sizesOf(build.modelPath, int8.report)) : null;
    const folder = path.join(outDir, recipe);
    const { report, inputs } = await buildVariant({
      ...{ ...build, recipe, outDir: folder, calibrate: fit, evaluate: judge, maxDrop: budgets.maxDrop },
      ...{ compact, sizeShare },
    });
    side = sideOf(inputs);
    const point = pointOf(recipe, report);
    built.push({ point, report, folder });
    onPoint?.(point);
  }
  const points = built.map(({ point }) => point);
  const { point, met } = choosePoint(points, budgets);
  const { report, folder } = built.find((one) => one.point === point)!;
  const missed = misses(point, budgets);
  const proposals = missed.latencyUs === undefined ? [] : proposalsFor(points, budgets, side);
  return { points, chosen: point, met, missed, proposals, report, folder };
}

async function sizesOf(modelPath: string, { float, variant }: Report): Promise<Sizes> {
  const byWidths = int8Cost.of(await readModel(modelPath), new Map());
  return { floatBytes: float.sizeBytes, int8Bytes: variant.sizeBytes, byWidths };
}

/** Side of a square image, [N, 3, S, S]. */
function sideOf([input]: readonly TensorSpec[]): number | null {
  const [, channels, height, width] = input?.shape ?? [];
  return (channels === 1 || channels === 3) && typeof height === 'number' && height === width ? height : null;
}

/** Reckoned from the fastest build that is accurate enough. */
function proposalsFor(points: readonly Point[], { maxDrop, latencyUs }: Budgets, side: number | null): Proposal[] {
  const most = maxDrop ?? Number.POSITIVE_INFINITY;
  const accurate = points.filter(({ drop, p50Us }) => p50Us !== null && (drop ?? 0) <= most);
  const p50Us = Math.min(...accurate.map(({ p50Us }) => p50Us!));
  return latencyUs === null || accurate.length === 0 ? [] : proposeSmaller({ p50Us, side, latencyUs });
}

function pointOf(recipe: Recipe, { float, variant, speedup, sizeRatio }: Report): Point {
  return {
    ...{ recipe, top1: variant.top1, p50Us: variant.latency?.p50Us ?? null, speedup, sizeRatio },
    drop: float.top1 === null || variant.top1 === null ? null : float.top1 - variant.top1,
  };
}
