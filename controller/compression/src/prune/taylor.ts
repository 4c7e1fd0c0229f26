/**
 * First-order Taylor importance: what the loss would change if a channel went, from one gradient
 * [Molchanov et al. 2019, eq. 8]. For every batch the products w ∂L/∂w are summed over a channel's weights, or over scale and
 * shift of the norm behind it: what a gate on the norm's output would feel. The sizes of the sums are added up over the batches.
 */
import { Tensor } from 'onnxruntime-node';
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { Session } from '../runtime/session.js';
import { buildTraining, FED, type TrainingGraph } from '../train/build.js';
import { probeBlock } from '../train/layout.js';
import { initialVector } from '../train/parameters.js';
import { Samples } from '../train/samples.js';
import type { Group } from './groups.js';
import { channelSums, producing } from './importance.js';
import type { Trace } from './trace.js';

const BATCH = 32;
/** Enough for the order to settle. */
const BATCHES_MAX = 16;

/** Calls back with w ∂L/∂w of every parameter, batch by batch. @throws ESP_DATA_UNFIT without labels */
async function eachProduct(
  graph: Graph,
  data: Dataset,
  feeding: BatchOptions,
  visit: (products: ReadonlyMap<string, Float32Array>) => void,
): Promise<void> {
  const objective = { labels: 1, distillation: 0, hints: [] };
  const training = buildTraining(cloneGraph(graph), { batch: BATCH, block: await probeBlock(), objective }, () => []);
  const { inputDims: dims, classes } = training;
  const n = Math.min(data.n, BATCH * BATCHES_MAX);
  const few = subset(
    data,
    Array.from({ length: n }, (_, at) => at),
  );
  const samples = await Samples.read(few, { input: feeding.inputs[0]!, dims, classes, preprocess: feeding.preprocess });
  const session = await Session.open(encodeModel(training.graph), 'the training graph');
  const parameters = initialVector(training.parameters);
  const into = {
    x: new Float32Array(dims.reduce((product, size) => product * size, 1)),
    target: new Float32Array(BATCH * classes),
  };
  try {
    for (let start = 0; start < n; start += BATCH) {
      feeding.signal?.throwIfAborted();
      const rows = Array.from({ length: BATCH }, (_, at) => (start + at) % n);
      samples.fill(rows, into, { augment: null, labelSmoothing: 0, random: () => 0 });
      const { gradients } = await session.floats({
        [training.input]: new Tensor('float32', into.x, [...dims]),
        [FED.target]: new Tensor('float32', into.target, [BATCH, classes]),
        [FED.parameters]: new Tensor('float32', parameters, [parameters.length]),
      });
      visit(productsOf(training, parameters, gradients!.data));
    }
  } finally {
    await session.dispose();
  }
}

function productsOf({ parameters }: TrainingGraph, values: Float32Array, gradients: Float32Array) {
  const products = values.map((value, at) => value * gradients[at]!);
  return new Map(parameters.map(({ name, offset, length }) => [name, products.subarray(offset, offset + length)]));
}

/** One score a channel, for every group, in the order of its channels. */
export async function taylorImportance(
  graph: Graph,
  trace: Trace,
  groups: readonly Group[],
  data: Dataset,
  feeding: BatchOptions,
): Promise<Map<string, number[]>> {
  const scores = new Map(groups.map(({ id, channels }) => [id, channels.map(() => 0)]));
  const isNorm = ({ opType }: Node): boolean => opType === 'BatchNormalization';
  await eachProduct(graph, data, feeding, (products) => {
    const elements = (node: Node): Float32Array | null => {
      const [weights, shifts] = [products.get(node.inputs[1]!), isNorm(node) && products.get(node.inputs[2]!)];
      return weights && shifts ? weights.map((one, at) => one + shifts[at]!) : (weights ?? null);
    };
    for (const group of groups) {
      // Behind a norm the size of the weights says nothing, and their sum of products is zero: the norm speaks.
      const byNorm = channelSums(graph, trace, group, { reads: isNorm, elements });
      const sums = byNorm.some((sum) => sum !== 0)
        ? byNorm
        : channelSums(graph, producing(trace, group), group, { reads: () => true, elements });
      const total = scores.get(group.id)!;
      for (const [at, sum] of sums.entries()) total[at]! += Math.abs(sum);
    }
  });
  return scores;
}
