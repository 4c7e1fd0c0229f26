/** The forms of a network while it is trained, and the one in which it is used. */
import type { Preprocess, TensorSpec } from '@espalier/proto';
import { addBinarizers } from '../binary/binarize.js';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { constantsToInitializers } from '../passes/constants.js';
import { dropIdentity } from '../passes/drop-identity.js';
import { foldBatchNorm } from '../passes/fold-batch-norm.js';
import { runPasses } from '../passes/index.js';
import { raiseOpset } from '../passes/raise-opset.js';
import { removeDead } from '../passes/remove-dead.js';
import { addFakeQuantizers, withoutFakeQuantizers } from './fake-quant.js';
import { addFreshNorms } from './fresh-norm.js';
import type { TrainRecipe, TrainStage } from './recipe.js';

/** Images from which the statistics of fresh norms are taken. */
const NORM_SAMPLES = 512;
/** Samples over which the ranges of fake quantizers are taken. */
const RANGE_SAMPLES = 500;

/** What a network learns from, and how its samples come to it. */
export interface TrainingData {
  /** Labelled. */
  readonly data: Dataset;
  readonly input: TensorSpec;
  readonly preprocess: Preprocess | null;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

const feedingOf = ({ input, preprocess, seed, signal }: TrainingData, limit: number): BatchOptions => ({
  ...{ inputs: [input], preprocess, batchSize: 32, seed, limit, signal },
});

/** A copy in the form that is trained: constants as initializers, nothing that only passes on, norms where they are. */
export function trainable(original: Graph): Graph {
  const graph = cloneGraph(original);
  runPasses(graph, [constantsToInitializers, dropIdentity, raiseOpset]);
  return graph;
}

/** The network as its first stage begins: with fresh norms where the recipe wants them. */
export async function prepareTraining(original: Graph, recipe: TrainRecipe, from: TrainingData): Promise<Graph> {
  const graph = trainable(original);
  if (recipe.freshNorm) await addFreshNorms(graph, from.data, feedingOf(from, NORM_SAMPLES));
  return graph;
}

/** The network that a stage begins with: with fake quantizers in place of norms, or with signs, where it trains so. */
export async function enterStage(graph: Graph, { quantize, binarize }: TrainStage, from: TrainingData): Promise<Graph> {
  const plain = withoutFakeQuantizers(graph);
  if (binarize) await addBinarizers(plain, from.data, feedingOf(from, RANGE_SAMPLES));
  if (!quantize) return plain;
  const bare = folded(plain);
  await addFakeQuantizers(bare, quantize, from.data, feedingOf(from, RANGE_SAMPLES));
  return bare;
}

/** The network as it is used: without fake quantizers, and norms folded into the convolutions before them. */
export function folded(graph: Graph): Graph {
  const copy = withoutFakeQuantizers(graph);
  runPasses(copy, [foldBatchNorm, removeDead]);
  return copy;
}
