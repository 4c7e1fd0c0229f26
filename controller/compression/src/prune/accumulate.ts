import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { returningOnly } from '../passes/returning-only.js';
import { Session } from '../runtime/session.js';

/** Runs a graph over data and sums the named float values in float64; nothing that they do not need is computed. */
export async function sumOver(
  graph: Graph,
  values: readonly string[],
  data: Dataset,
  feeding: BatchOptions,
): Promise<Map<string, Float64Array>> {
  const session = await Session.open(encodeModel(returningOnly(graph, values)), 'the moments');
  const sums = new Map<string, Float64Array>();
  try {
    for await (const { feeds } of batches(data, feeding)) {
      for (const [name, output] of Object.entries(await session.floats(feeds))) {
        const sum = sums.get(name) ?? new Float64Array(output.data.length);
        for (let at = 0; at < sum.length; at++) sum[at]! += output.data[at]!;
        sums.set(name, sum);
      }
    }
    return sums;
  } finally {
    await session.dispose();
  }
}
