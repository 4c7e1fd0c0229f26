/** What a network can do before it learns: one that only guesses has most likely been given the wrong preprocessing. */
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import { top1Of } from '../recipe/top1.js';

const SAMPLES = 200;
/** Standard deviations above guessing from which a network is taken to know something. */
const CLEARLY = 3;

export interface Standing {
  /** In percent, on a few hundred samples. */
  readonly top1: number;
  /** Of always naming the most frequent class, in percent. */
  readonly chance: number;
  readonly isGuessing: boolean;
}

/** Pure. @param labels of the samples that were judged */
export function judgeStanding(top1: number, labels: ArrayLike<number>): Standing {
  const counts = new Map<number, number>();
  for (const label of Array.from(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const most = Math.max(...counts.values()) / labels.length;
  const deviation = Math.sqrt((most * (1 - most)) / labels.length);
  const [chance, limit] = [100 * most, 100 * (most + CLEARLY * deviation)];
  return { top1, chance, isGuessing: top1 < Math.min(limit, 100) };
}

/** @param data labelled */
export async function standingOf(graph: Graph, data: Dataset, feeding: BatchOptions): Promise<Standing> {
  const every = Math.max(1, Math.floor(data.n / SAMPLES));
  const judged = subset(
    data,
    Array.from({ length: Math.min(SAMPLES, data.n) }, (_, at) => at * every),
  );
  return judgeStanding(await top1Of(graph, judged, feeding), judged.labels!);
}

export const describeGuessing = ({ top1, chance }: Standing): string =>
  `it is right on ${top1.toFixed(1)} % of the samples, where guessing gives ${chance.toFixed(1)} %; ` +
  'check that the preprocessing record and the order of the labels are the model’s';
