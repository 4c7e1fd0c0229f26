/** The search over builds of one model: which of them are tried, and which is taken. */
import type { SearchRecord } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { fits } from '../hardware/match.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { finishing, runPasses } from '../passes/index.js';
import { isOffered } from '../precision/index.js';
import type { Refine } from '../quantize/quantize.js';
import { evaluationBatch } from '../quantize/samples.js';
import { relievedOf } from '../report/format.js';
import { type Budgets, misses, NO_BUDGETS } from '../search/budgets.js';
import { type FallbackOptions, floatPoint, type Tried } from '../search/builds.js';
import { Deadline } from '../search/deadline.js';
import { walkFallback } from '../search/fallback.js';
import { Judge } from '../search/judge.js';
import { choosePoint, figuresOf, type Point, PRECISIONS, type Precision, paretoFront } from '../search/points.js';
import type { Candidate } from './int8.js';
import { type BuildOptions, DEFAULT_MAX_DROP, DEFAULT_MINUTES } from './options.js';
import { graphOf } from './other.js';

export interface ExploreOptions {
  readonly build: BuildOptions;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly floatBytes: number;
  readonly makers: Makers;
}

/** How a build in each precision is made. */
export interface Makers {
  /** @param refine decides which nodes stay float */
  int8(refine: Refine | null): Promise<Candidate>;
  wide(): Promise<Candidate>;
  other(precision: Precision): Promise<Candidate>;
}

/** What nobody asked for: the fastest build that loses at most a point. */
const budgetsOf = ({ budgets = NO_BUDGETS }: BuildOptions): Budgets =>
  Object.values(budgets).every((one) => one === null) ? { ...NO_BUDGETS, maxDrop: DEFAULT_MAX_DROP } : budgets;

/** What is tried; on hardware with nothing but float, int8, which says so. */
function precisionsOf({ precision = 'int8', profile }: BuildOptions): readonly Precision[] {
  if (precision !== 'auto') return [precision];
  const offered = PRECISIONS.filter((one) => isOffered(profile, one));
  return offered.length > 0 ? offered : ['int8'];
}

/** Tries builds on calibration samples until the budgets or the time decide, and gives the one to take. */
export async function explore({ build, data, feeding, floatBytes, makers }: ExploreOptions): Promise<Candidate> {
  const { profile, modelPath, modelName, minutes, signal } = build;
  const isHere = profile.oracle.tool === 'onnxruntime' && fits(await readLocalFacts(), profile) !== null;
  const deadline = Deadline.after(minutes ?? DEFAULT_MINUTES, signal);
  const judging = { ...feeding, batchSize: evaluationBatch(feeding.inputs) };
  const judge = await Judge.open({ model: modelPath, name: modelName, data, feeding: judging, profile, isHere });
  const front = new Front(build, budgetsOf(build), judge, floatBytes);
  try {
    const precisions = precisionsOf(build);
    for (const precision of precisions) {
      if (precision === 'int8') continue;
      if (precisions.length > 1 && deadline.isOver())
        front.notes.push(`${precision} was not tried: the time was over.`);
      else await front.tryOther(precision, makers);
    }
    if (precisions.includes('int8')) await walkInt8(front, makers, { judge, profile, isHere, deadline });
    return front.settle(data, isHere);
  } finally {
    await judge.dispose();
  }
}

async function walkInt8(
  front: Front,
  makers: Makers,
  given: Pick<FallbackOptions, 'judge' | 'profile' | 'isHere' | 'deadline'>,
): Promise<void> {
  const { budgets, floatBytes } = front;
  const finish = (graph: Graph): void => void runPasses(graph, finishing(given.profile));
  let best: Point | undefined;
  const candidate = await makers.int8(async (found) => {
    const onPoint = (point: Point): void => front.add(point);
    const { tried, notes } = await walkFallback({ ...given, found, budgets, floatBytes, finish, onPoint });
    front.notes.push(...notes);
    const chosen = chosenOf(tried, front.points[0]!, budgets);
    best = chosen?.point;
    return chosen?.relieved ?? new Map();
  });
  front.offer(best ?? null, candidate);
}

/** The builds that were measured, and the one to take of them. */
class Front {
  readonly points: Point[];
  readonly notes: string[] = [];
  private taken: Candidate | null = null;
  private first: Candidate | null = null;

  constructor(
    private readonly build: BuildOptions,
    readonly budgets: Budgets,
    private readonly judge: Judge,
    readonly floatBytes: number,
  ) {
    this.points = [floatPoint(floatBytes)];
  }

  add(point: Point): void {
    this.points[0] = floatPoint(this.floatBytes, this.judge.floatUs);
    this.points.push(point);
    this.build.onPoint?.(point, paretoFront(this.points));
  }

  /** Holds a candidate while its point is the one to take: others need no memory. */
  offer(point: Point | null, candidate: Candidate): void {
    this.first ??= candidate;
    if (point && choosePoint(this.points, this.budgets, this.floatBytes).point === point) this.taken = candidate;
  }

  async tryOther(precision: Precision, makers: Makers): Promise<void> {
    const candidate = precision === 'int8-16' ? await makers.wide() : await makers.other(precision);
    const graph = graphOf(candidate);
    if (!graph) {
      this.notes.push(candidate.notes.find((note) => note.startsWith(precision)) ?? candidate.notes.at(-1) ?? '');
      return this.offer(null, candidate);
    }
    const { speedup, ...figures } = await this.judge.judge(encodeModel(graph));
    const load = speedup === null ? 1 : 1 / speedup;
    const point: Point = { ...figures, precision, speedup, load, floatNodes: [], wideNodes: [] };
    this.add(point);
    this.offer(point, candidate);
  }

  /** The candidate to take, with the record of the search; float where that is the point to take. */
  settle(data: Dataset, isHere: boolean): Candidate {
    const { points, budgets, floatBytes, judge } = this;
    const { point, met } = choosePoint(points, budgets, floatBytes);
    const front = new Set(paretoFront(points));
    const why = whyChosen(point, met, { points, budgets, floatBytes, judge, data, isHere });
    const search: SearchRecord = {
      ...{ basis: data.labelled ? 'labels' : 'agreement', n: judge.n, budgets, met, why },
      points: points.map((one) => ({
        ...{ precision: one.precision, drop: one.drop, sqnrDb: one.sqnrDb, speedup: one.speedup, p50Us: one.p50Us },
        ...{ bytes: one.bytes, floatNodes: [...one.floatNodes], wideNodes: [...one.wideNodes] },
        ...{ isFront: front.has(one), isChosen: one === point },
      })),
    };
    const chosen = point.precision === 'float' ? null : this.taken;
    const base = chosen ?? { ...this.first!, int8: null, other: null, isPruned: false };
    return { ...base, notes: [...base.notes, ...this.notes, why], search };
  }
}

/** The int8 build to take; undefined where float is. */
function chosenOf(tried: readonly Tried[], float: Point, budgets: Budgets): Tried | undefined {
  const { point } = choosePoint([float, ...tried.map((one) => one.point)], budgets, float.bytes);
  return tried.find((one) => one.point === point);
}

interface Outcome {
  readonly points: readonly Point[];
  readonly budgets: Budgets;
  readonly floatBytes: number;
  readonly judge: Judge;
  readonly isHere: boolean;
  readonly data: Dataset;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** A sentence on the point that was taken. */
function whyChosen(point: Point, met: boolean, { points, budgets, floatBytes, judge, data, isHere }: Outcome): string {
  const nodes = relievedOf(point, 'node');
  const name =
    point.precision === 'float' ? 'Float was kept' : `${point.precision}${nodes && ` with ${nodes}`} was taken`;
  const basis = data.labelled ? 'points of top-1 lost' : '% of the first classes changed';
  const speed = point.speedup === null ? '' : `, ${point.speedup.toFixed(2)} times as fast`;
  const figures = `${point.drop.toFixed(2)} ${basis}, ${point.sqnrDb.toFixed(1)} dB${speed} on ${judge.n} calibration samples`;
  const untimed = !isHere && (budgets.latencyUs !== null || budgets.speedup !== null);
  const unheld = untimed
    ? ' This machine is not one of the profile, so no build can be shown to keep to the time.'
    : '';
  if (met) return `${name} of ${count(points.length, 'build')} that were tried: ${figures}.${unheld}`;
  const missed = Object.keys(misses(figuresOf(point, floatBytes), budgets)).join(' and ');
  return `${name}, although it misses ${missed}: none of ${count(points.length, 'build')} keeps to every budget, and it is the nearest: ${figures}.${unheld}`;
}
