/** The search over builds of one model: which of them are tried, and which is taken. */
import type { SearchRecord } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { fits } from '../hardware/match.js';
import { finishing, runPasses } from '../passes/index.js';
import type { Refine } from '../quantize/quantize.js';
import { evaluationBatch } from '../quantize/samples.js';
import { floatPoint, type Tried } from '../search/builds.js';
import { Deadline } from '../search/deadline.js';
import { type Fallback, walkFallback } from '../search/fallback.js';
import { Judge } from '../search/judge.js';
import { type Budgets, choosePoint, misses, NO_BUDGETS, type Point, paretoFront } from '../search/points.js';
import type { Candidate } from './int8.js';
import { type BuildOptions, DEFAULT_MAX_DROP, DEFAULT_MINUTES } from './options.js';

export interface ExploreOptions {
  readonly build: BuildOptions;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly floatBytes: number;
}

/** Makes the int8 candidate with what `refine` decides. */
type Make = (refine: Refine) => Promise<Candidate>;

/** What nobody asked for: the fastest build that loses at most a point. */
const budgetsOf = ({ budgets = NO_BUDGETS }: BuildOptions): Budgets =>
  Object.values(budgets).every((one) => one === null) ? { ...NO_BUDGETS, maxDrop: DEFAULT_MAX_DROP } : budgets;

/** Tries builds on calibration samples until the budgets or the time decide, and gives the one to take. */
export async function explore({ build, data, feeding, floatBytes }: ExploreOptions, make: Make): Promise<Candidate> {
  const { profile, modelPath, modelName, minutes, onPoint, signal } = build;
  const budgets = budgetsOf(build);
  const isHere = profile.oracle.tool === 'onnxruntime' && fits(await readLocalFacts(), profile) !== null;
  const deadline = Deadline.after(minutes ?? DEFAULT_MINUTES, signal);
  const judging = { ...feeding, batchSize: evaluationBatch(feeding.inputs) };
  const judge = await Judge.open({ model: modelPath, name: modelName, data, feeding: judging, profile, isHere });
  const points: Point[] = [floatPoint(floatBytes)];
  let walked: Fallback = { tried: [], notes: [] };
  try {
    const candidate = await make(async (found) => {
      walked = await walkFallback({
        ...{ found, judge, profile, isHere, budgets, floatBytes, deadline },
        finish: (graph) => void runPasses(graph, finishing(profile)),
        onPoint: (point) => {
          points[0] = floatPoint(floatBytes, judge.floatUs);
          points.push(point);
          onPoint?.(point, paretoFront(points));
        },
      });
      return chosenOf(walked.tried, points[0]!, budgets)?.excluded ?? new Map();
    });
    return settle(candidate, { points, walked, budgets, floatBytes, judge, isHere, data });
  } finally {
    await judge.dispose();
  }
}

/** The int8 build to take; undefined where float is. */
function chosenOf(tried: readonly Tried[], float: Point, budgets: Budgets): Tried | undefined {
  const { point } = choosePoint([float, ...tried.map((one) => one.point)], budgets, float.bytes);
  return tried.find((one) => one.point === point);
}

interface Outcome {
  readonly points: readonly Point[];
  readonly walked: Fallback;
  readonly budgets: Budgets;
  readonly floatBytes: number;
  readonly judge: Judge;
  readonly isHere: boolean;
  readonly data: Dataset;
}

/** The candidate with the record of the search; float where that is the point to take. */
function settle(candidate: Candidate, outcome: Outcome): Candidate {
  const { points, walked, budgets, floatBytes, judge, data } = outcome;
  const { point, met } = choosePoint(points, budgets, floatBytes);
  const front = new Set(paretoFront(points));
  const why = whyChosen(point, met, outcome);
  const search: SearchRecord = {
    ...{ basis: data.labelled ? 'labels' : 'agreement', n: judge.n, budgets, met, why },
    points: points.map((one) => ({
      ...{ precision: one.precision, drop: one.drop, sqnrDb: one.sqnrDb, speedup: one.speedup, p50Us: one.p50Us },
      ...{ bytes: one.bytes, floatNodes: [...one.floatNodes] },
      ...{ isFront: front.has(one), isChosen: one === point },
    })),
  };
  const notes = [...candidate.notes, ...walked.notes, why];
  return { ...candidate, int8: point.precision === 'float' ? null : candidate.int8, notes, search };
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** A sentence on the point that was taken. */
function whyChosen(point: Point, met: boolean, { points, budgets, floatBytes, judge, data, isHere }: Outcome): string {
  const nodes = point.floatNodes.length > 0 ? ` with ${count(point.floatNodes.length, 'node')} in float` : '';
  const name = point.precision === 'float' ? 'Float was kept' : `${point.precision}${nodes} was taken`;
  const basis = data.labelled ? 'points of top-1 lost' : '% of the first classes changed';
  const speed = point.speedup === null ? '' : `, ${point.speedup.toFixed(2)} times as fast`;
  const figures = `${point.drop.toFixed(2)} ${basis}, ${point.sqnrDb.toFixed(1)} dB${speed} on ${judge.n} calibration samples`;
  const untimed = !isHere && (budgets.latencyUs !== null || budgets.speedup !== null);
  const unheld = untimed
    ? ' This machine is not one of the profile, so no build can be shown to keep to the time.'
    : '';
  if (met) return `${name} of ${count(points.length, 'build')} that were tried: ${figures}.${unheld}`;
  const missed = Object.keys(misses(point, budgets, floatBytes)).join(' and ');
  return `${name}, although it misses ${missed}: none of ${count(points.length, 'build')} keeps to every budget, and it is the nearest: ${figures}.${unheld}`;
}
