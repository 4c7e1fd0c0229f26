/** Makes a network with early exits: where they stand, what they learn, when a sample ends. */
import type { Preprocess, StagedModel, TensorSpec } from '@espalier/proto';
import { type Dataset, subset } from '../data/content.js';
import { type BatchOptions, batches, firstFeeds } from '../data/feeds.js';
import { DataUnfit, ExitUnfit } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { totalMacs } from '../prune/macs.js';
import { prepare } from '../recipe/prepare.js';
import { runShapes } from '../runtime/run-shapes.js';
import { Session } from '../runtime/session.js';
import { logitsOf } from '../train/build.js';
import { chooseCuts, findCuts } from './cuts.js';
import { fitHeads } from './fit-heads.js';
import { addHeads, type HeadKind } from './heads.js';
import { splitStages } from './split.js';
import { teach } from './teach.js';
import { chooseThresholds, EXITS_MAX, fitTemperature, rightOf, type ThresholdChoice } from './thresholds.js';

/** Of the samples, one in so many is kept from training when thresholds have no data of their own. */
const CALIBRATION_EVERY = 5;

export interface ExitsOptions {
  readonly model: string;
  /** Labelled; the heads learn on it. */
  readonly data: Dataset;
  /** Labelled; the thresholds are chosen on it. By default one in five of `data`, which then trains nothing. */
  readonly calibration: Dataset | null;
  readonly input: TensorSpec;
  readonly preprocess: Preprocess | null;
  readonly seed: number;
  readonly workers: number;
  readonly signal?: AbortSignal | undefined;
  /** How many exits, or the feature maps that they stand at. */
  readonly at: number | readonly string[];
  readonly head: HeadKind;
  /** Epochs in which only the heads learn, and in which the whole network does after that. */
  readonly epochs: number;
  readonly jointEpochs: number;
  /** Points of top-1 that may be lost. */
  readonly maxDrop: number;
  readonly onProgress?: (share: number, what: string) => void;
}

export interface MadeExits {
  readonly stages: readonly Uint8Array[];
  /** All of stages.json but the digests. */
  readonly described: readonly Omit<StagedModel['stages'][number], 'sha256' | 'file'>[];
  readonly classes: number;
  readonly macs: number;
  /** On the samples that the thresholds were chosen on. */
  readonly calibration: ThresholdChoice & { readonly wholeAccuracy: number; readonly exitAccuracy: readonly number[] };
}

const feedingOf = ({ input, preprocess, seed, signal }: ExitsOptions): BatchOptions => ({
  ...{ inputs: [input], preprocess, batchSize: 32, seed, signal },
});

function placesOf(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>, { at, model }: ExitsOptions): string[] {
  const known = findCuts(graph, shapes).map(({ value }) => value);
  const unfit = (value: string, why: string) => ExitUnfit({ value, why, known: known.join(', ') || 'there is none' });
  const wanted = typeof at === 'number' ? chooseCuts(graph, shapes, at).map(({ value }) => value) : at;
  const wrong = wanted.find((value) => !known.includes(value));
  if (wrong !== undefined) throw unfit(wrong, 'it is no feature map that alone leads on');
  if (wanted.length === 0) throw unfit(model, 'no feature map of it alone leads on');
  if (wanted.length > EXITS_MAX) throw unfit(wanted[EXITS_MAX]!, `there are at most ${EXITS_MAX} exits`);
  return known.filter((value) => wanted.includes(value));
}

/** The named values for all samples, each [n, classes]. */
async function valuesOf(
  graph: Graph,
  names: readonly string[],
  data: Dataset,
  feeding: BatchOptions,
): Promise<Float32Array[]> {
  const session = await Session.open(encodeModel(graph), 'the network with exits');
  const parts = names.map((): Float32Array[] => []);
  try {
    for await (const { feeds, size } of batches(data, feeding)) {
      const made = await session.floats(feeds);
      for (const [at, name] of names.entries()) {
        const { data: values, dims } = made[name]!;
        parts[at]!.push(values.slice(0, (values.length / dims[0]!) * size));
      }
    }
  } finally {
    await session.dispose();
  }
  return parts.map((chunks) => Float32Array.from(chunks.flatMap((chunk) => [...chunk])));
}

const percentOf = (right: Uint8Array): number => (100 * right.filter(Boolean).length) / right.length;

/** @throws ESP_EXIT_UNFIT, ESP_DATA_UNFIT, and what training and preparation throw */
export async function makeExits(original: Graph, options: ExitsOptions): Promise<MadeExits> {
  const { data, input, maxDrop, head, seed, onProgress } = options;
  const feeding = feedingOf(options);
  const { graph: whole } = await prepare(original, data, feeding);
  const feeds = await firstFeeds(data, feeding, 1);
  if (!feeds) throw DataUnfit({ spec: data.spec, input: input.name, why: 'it is empty' });
  const shapes = await runShapes(whole, feeds);
  const places = placesOf(whole, shapes, options);
  const classes = shapes.get(logitsOf(whole))!.at(-1)!;
  const channels = (value: string): number => shapes.get(value)![1]!;
  const headed = addHeads(whole, places, { kind: head, classes, channels, seed });
  const [learnt, judged] = splitData(data, options.calibration);
  await fitHeads(headed.graph, headed.exits, learnt, feeding);
  const graph = await teach(headed, whole, learnt, options);
  onProgress?.(1, 'choosing thresholds');
  const traced = await runShapes(graph, feeds);
  const stages = splitStages(graph, headed.exits, traced);
  const macs = stages.map((stage) => totalMacs(stage, traced));
  const costs = macs.map((_, at) => macs.slice(0, at + 1).reduce((sum, own) => sum + own, 0));
  const output = whole.outputs[0]!.name;
  const names = [...headed.exits.map(({ logits }) => logits), output];
  const values = await valuesOf(graph, names, judged, feeding);
  const [wholeValues] = await valuesOf(whole, [output], judged, feeding);
  const labels = judged.labels!;
  const wholeRight = rightOf(wholeValues!, labels);
  const wholeAccuracy = percentOf(wholeRight);
  const last = values.at(-1)!;
  const exits = values.slice(0, -1).map((logits) => ({ logits, temperature: fitTemperature(logits, labels) }));
  const chosen = chooseThresholds({ exits, last, labels, costs, wholeRight, maxDrop });
  const described = stages.map((stage, at) => ({
    ...{ input: stage.inputs[0]!.name, logits: names[at]!, feature: places[at] ?? null, macs: costs[at]! },
    threshold: at < exits.length ? chosen.thresholds[at]! : 0,
    temperature: exits[at]?.temperature ?? 1,
  }));
  const calibration = { ...chosen, wholeAccuracy, exitAccuracy: values.map((one) => percentOf(rightOf(one, labels))) };
  return { stages: stages.map(encodeModel), described, classes, macs: totalMacs(whole, shapes), calibration };
}

/** What is learnt on, and what the thresholds are chosen on. @throws ESP_DATA_UNFIT without labels */
function splitData(data: Dataset, given: Dataset | null): [Dataset, Dataset] {
  const all = Array.from({ length: data.n }, (_, at) => at);
  const isJudged = (at: number): boolean => at % CALIBRATION_EVERY === 0;
  const judged = given ?? subset(data, all.filter(isJudged));
  if (!judged.labels) throw DataUnfit({ spec: judged.spec, input: 'labels', why: 'thresholds need labels' });
  return [
    given
      ? data
      : subset(
          data,
          all.filter((at) => !isJudged(at)),
        ),
    judged,
  ];
}
