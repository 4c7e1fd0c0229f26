/** The last layer of every head by least squares on the teacher's logits: a start from which few steps of training do. */
import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { floatTensor } from '../onnx/tensor.js';
import { addRidge, cholesky, solveRows } from '../prune/matrix.js';
import { Session } from '../runtime/session.js';
import { logitsOf } from '../train/build.js';
import type { Exit } from './heads.js';

const SAMPLES_MAX = 2000;
const RIDGE = 1e-5;

/** Sums over samples for [x, 1]: x xᵀ, and y xᵀ a row for each class. */
interface Moments {
  readonly xx: Float64Array;
  readonly yx: Float64Array;
}

/** Adds one sample. Logits are taken without their mean, which a softmax does not see. */
function accumulate({ xx, yx }: Moments, x: Float32Array, logits: Float32Array): void {
  const full = x.length + 1;
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  for (let a = 0; a < full; a++) {
    const left = x[a] ?? 1;
    if (left === 0) continue;
    for (let b = 0; b < full; b++) xx[a * full + b]! += left * (x[b] ?? 1);
    for (let row = 0; row < logits.length; row++) yx[row * full + a]! += left * (logits[row]! - mean);
  }
}

/** Sets weights and bias of the heads' linear layers in place; one whose features say nothing stays as it was drawn. */
export async function fitHeads(
  graph: Graph,
  exits: readonly Exit[],
  data: Dataset,
  feeding: BatchOptions,
): Promise<void> {
  const layers = exits.map(({ logits }) => graph.producer(logits)!);
  const target = logitsOf(graph);
  const session = await Session.open(
    encodeModel(cloneGraph(graph, [target, ...layers.map(({ inputs }) => inputs[0]!)])),
    'the network with exits',
  );
  const moments = layers.map((layer): Moments => {
    const [classes, width] = graph.constantOf(layer, 1)!.dims as [number, number];
    return { xx: new Float64Array((width + 1) ** 2), yx: new Float64Array(classes * (width + 1)) };
  });
  try {
    for await (const { feeds, size } of batches(data, { ...feeding, limit: SAMPLES_MAX })) {
      const made = await session.floats(feeds);
      const rowOf = (name: string, row: number): Float32Array => {
        const { data: values, dims } = made[name]!;
        const width = values.length / dims[0]!;
        return values.subarray(row * width, (row + 1) * width);
      };
      for (let row = 0; row < size; row++) {
        for (const [at, { inputs }] of layers.entries()) {
          accumulate(moments[at]!, rowOf(inputs[0]!, row), rowOf(target, row));
        }
      }
    }
  } finally {
    await session.dispose();
  }
  for (const [at, { inputs }] of layers.entries()) {
    const { xx, yx } = moments[at]!;
    const full = Math.round(Math.sqrt(xx.length));
    const factor = cholesky(addRidge(xx, full, RIDGE), full);
    if (!factor) continue;
    solveRows(factor, full, yx);
    const [weights, bias] = split(yx, full);
    graph.constants.set(inputs[1]!, floatTensor([bias.length, full - 1], weights));
    graph.constants.set(inputs[2]!, floatTensor([bias.length], bias));
  }
}

/** Rows [w, b] as the weights of a Gemm with transB, and its bias. */
function split(rows: Float64Array, full: number): [Float32Array, Float32Array] {
  const classes = rows.length / full;
  const weights = new Float32Array(classes * (full - 1));
  const bias = new Float32Array(classes);
  for (let row = 0; row < classes; row++) {
    weights.set(rows.subarray(row * full, (row + 1) * full - 1), row * (full - 1));
    bias[row] = rows[(row + 1) * full - 1]!;
  }
  return [weights, bias];
}
