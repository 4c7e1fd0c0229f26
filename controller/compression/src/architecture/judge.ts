/** How far a network is from its parent on a few samples: the proxy that a search goes by. */

import type { Dataset } from '../data/content.js';
import { type Batch, type BatchOptions, batches } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { argmax } from '../recipe/accuracy.js';
import { Session } from '../runtime/session.js';
import { logitsOf } from '../train/build.js';

export interface Judgement {
  /** Mean of KL(parent || network) over the samples, in nats. */
  readonly divergence: number;
  /** Percent of the labelled samples; null without labels. */
  readonly top1: number | null;
}

/** Writes log softmax of a row in place. */
function logSoftmax(row: Float64Array): Float64Array {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const log = most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return row.map((value) => value - log);
}

const rowsOf = (values: Float32Array, rows: number): Float64Array[] => {
  const size = values.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    logSoftmax(Float64Array.from(values.subarray(row * size, (row + 1) * size))),
  );
};

const divergenceOf = (parent: Float64Array, own: Float64Array): number =>
  parent.reduce((sum, log, at) => sum + Math.exp(log) * (log - own[at]!), 0);

export class Judge {
  private constructor(
    private readonly samples: readonly Batch[],
    private readonly parent: readonly Float64Array[],
  ) {}

  static async open(parent: Graph, data: Dataset, feeding: BatchOptions): Promise<Judge> {
    const samples: Batch[] = [];
    for await (const batch of batches(data, feeding)) samples.push(batch);
    return new Judge(samples, await logits(parent, samples));
  }

  async judge(graph: Graph): Promise<Judgement> {
    const own = await logits(graph, this.samples);
    const sum = own.reduce((total, row, at) => total + divergenceOf(this.parent[at]!, row), 0);
    const labels = this.samples.flatMap((batch) => (batch.labels ? [...batch.labels] : []));
    const right = labels.filter((label, at) => argmax(Float32Array.from(own[at]!), 0, own[at]!.length) === label);
    return {
      divergence: Math.max(0, sum / own.length),
      top1: labels.length > 0 ? (100 * right.length) / labels.length : null,
    };
  }
}

async function logits(graph: Graph, samples: readonly Batch[]): Promise<Float64Array[]> {
  const name = logitsOf(graph);
  const session = await Session.open(encodeModel(cloneGraph(graph, [name])), 'a network of the search');
  try {
    const rows: Float64Array[] = [];
    for (const { feeds, size } of samples) {
      const { data, dims } = (await session.floats(feeds))[name]!;
      rows.push(...rowsOf(data, dims[0]!).slice(0, size));
    }
    return rows;
  } finally {
    await session.dispose();
  }
}
