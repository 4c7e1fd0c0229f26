/** Searches over width, depth and window under a latency budget; weights come from the parent, no step of training. */
import type { LatencyTable } from '@espalier/proto';
import { subset } from '../data/content.js';
import { randomFrom } from '../data/feeds.js';
import { PruneBudgetMissed } from '../errors.js';
import { LatencyCosts } from '../latency/table.js';
import type { Graph } from '../onnx/graph.js';
import { cutToBudget } from '../prune/fit.js';
import type { Prunable } from '../prune/prunable.js';
import { type FoundSpace, findSpace } from './find-space.js';
import { Judge, type Judgement } from './judge.js';
import { type Method, searcherOf } from './searchers.js';
import { type Genome, keyOf, latencyOf, leastGenome, type Space, wholeGenome } from './space.js';
import { buildStudent } from './student.js';

/** Samples that proposals are refitted on, and those after them that they are judged on. */
const REFIT_SAMPLES = 64;
const JUDGE_SAMPLES = 256;
/** Proposals in a row that were seen before, after which nothing new is expected. */
const REPEATS_MAX = 50;

export interface SearchOptions {
  readonly table: LatencyTable;
  /** Share of the whole network's latency. */
  readonly latency: number;
  readonly method: Method;
  readonly evaluations: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** After each network that no earlier one is both faster and nearer than. */
  readonly onFront?: (found: Candidate, evaluation: number) => void;
}

export interface Candidate extends Judgement {
  readonly genome: Genome;
  /** By the table. */
  readonly latencyUs: number;
}

export interface SearchResult {
  readonly best: Candidate;
  /** What the knapsack over widths alone chooses within the same budget, judged alike; null when it finds none. */
  readonly knapsack: Candidate | null;
  readonly front: readonly Candidate[];
  readonly evaluations: number;
  readonly space: Space;
  readonly budgetUs: number;
  /** Builds a network of the space, refitted on all samples of the subject. */
  readonly build: (genome: Genome) => Promise<Graph>;
}

const isBeaten = ({ latencyUs, divergence }: Candidate, by: Candidate): boolean =>
  by.latencyUs <= latencyUs && by.divergence <= divergence;

/** The front with one more candidate; the same front when an earlier one is as good in both. */
export function withCandidate(front: readonly Candidate[], candidate: Candidate): readonly Candidate[] {
  if (front.some((one) => isBeaten(candidate, one))) return front;
  return [...front.filter((one) => !isBeaten(one, candidate)), candidate].sort((a, b) => a.latencyUs - b.latencyUs);
}

/** The widths of the knapsack as a genome; everything else whole. */
async function knapsackGenome(subject: Prunable, space: Space, options: SearchOptions): Promise<Genome | null> {
  const costs = new LatencyCosts(options.table, subject.graph, subject.shapes);
  try {
    const { widths } = await cutToBudget(subject, options.latency, costs);
    const whole = wholeGenome(space);
    return space.genes.map(({ id, kind, values }, at) =>
      kind === 'width' ? values.indexOf(widths.get(id) ?? values.at(-1)!) : whole[at]!,
    );
  } catch (error) {
    if (PruneBudgetMissed.is(error)) return null;
    throw error;
  }
}

function requireBudget({ space }: FoundSpace, budgetUs: number, latency: number): void {
  const least = latencyOf(space, leastGenome(space));
  if (least > budgetUs) throw PruneBudgetMissed({ wanted: latency, nearest: least / space.wholeUs, unit: 'us' });
}

/** @throws ESP_PRUNE_BUDGET_MISSED, and the signal's reason */
export async function search(subject: Prunable, options: SearchOptions): Promise<SearchResult> {
  const { table, latency, method, evaluations, seed, signal, onFront } = options;
  const found = findSpace(subject, table);
  const { space } = found;
  const budgetUs = latency * space.wholeUs;
  requireBudget(found, budgetUs, latency);
  const { data, feeding } = subject;
  const judged = subset(data, judgedSamples(data.n));
  const judge = await Judge.open(subject.graph, judged, { ...feeding, limit: JUDGE_SAMPLES });
  const refitting = { data, feeding: { ...feeding, limit: REFIT_SAMPLES } };
  const evaluate = async (genome: Genome): Promise<Candidate> => {
    signal?.throwIfAborted();
    const graph = await buildStudent(subject, found, genome, refitting);
    return { genome, latencyUs: latencyOf(space, genome), ...(await judge.judge(graph)) };
  };
  const reference = await knapsackGenome(subject, space, options);
  const knapsack = reference && (await evaluate(reference));
  const random = randomFrom(seed);
  const seen = new Set<string>();
  let searcher = searcherOf(method, space);
  let front: readonly Candidate[] = [];
  for (let repeats = 0; seen.size < evaluations && repeats < REPEATS_MAX; ) {
    const genome = searcher.propose({ space, budgetUs }, random);
    if (seen.has(keyOf(genome))) {
      repeats++;
      continue;
    }
    repeats = 0;
    seen.add(keyOf(genome));
    const candidate = await evaluate(genome);
    searcher = searcher.update(genome, candidate.divergence);
    const grown = withCandidate(front, candidate);
    if (grown !== front) onFront?.(candidate, seen.size);
    front = grown;
  }
  const best = front.reduce((a, b) => (b.divergence < a.divergence ? b : a));
  const build = (genome: Genome): Promise<Graph> => buildStudent(subject, found, genome, { data, feeding });
  return { best, knapsack, front, evaluations: seen.size, space, budgetUs, build };
}

/** Samples after those that are refitted on; all of them where there are too few. */
function judgedSamples(n: number): number[] {
  const all = Array.from({ length: n }, (_, at) => at);
  return n > 2 * REFIT_SAMPLES ? all.slice(REFIT_SAMPLES) : all;
}
