import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { type ChannelFigures, ChannelStats } from '../quantize/channel-stats.js';
import { Session } from '../runtime/session.js';

/** Figures of every channel of these values over the data. */
export async function channelFigures(
  graph: Graph,
  values: readonly string[],
  data: Dataset,
  feeding: BatchOptions,
): Promise<Map<string, ChannelFigures>> {
  const session = await Session.open(encodeModel(cloneGraph(graph, values)), 'the network with its inner values');
  const stats = new Map(values.map((name) => [name, new ChannelStats()]));
  try {
    for await (const { feeds } of batches(data, feeding)) {
      // The network's own input is no output, but may be asked for.
      for (const [name, { data: seen, dims }] of Object.entries(feeds))
        stats.get(name)?.see(seen as Float32Array, dims);
      for (const [name, output] of Object.entries(await session.floats(feeds))) {
        stats.get(name)?.see(output.data, output.dims);
      }
    }
  } finally {
    await session.dispose();
  }
  return new Map([...stats].map(([name, one]) => [name, one.figures()]));
}
