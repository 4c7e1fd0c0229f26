import type { Batch } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { Session } from '../runtime/session.js';
import { type ChannelFigures, ChannelStats } from './channel-stats.js';
import { Observer } from './observer.js';

/** Runs a float graph and hands over the given values, batch by batch. */
async function watch(
  graph: Graph,
  values: readonly string[],
  samples: readonly Batch[],
  see: (value: string, data: Float32Array, dims: readonly number[]) => void,
): Promise<void> {
  const fed = new Set(graph.inputs.map((input) => input.name));
  const inner = values.filter((value) => !fed.has(value));
  const session = await Session.open(encodeModel(cloneGraph(graph, inner)), 'the calibration graph');
  try {
    const run = session.reusing();
    for (const { feeds } of samples) {
      const outputs = await run(feeds);
      for (const value of values) {
        const tensor = outputs[value] ?? feeds[value];
        if (tensor?.data instanceof Float32Array) see(value, tensor.data, tensor.dims);
      }
    }
  } finally {
    await session.dispose();
  }
}

/** First pass: extremes and moments of each channel of the values. */
export async function observeChannels(
  graph: Graph,
  values: Iterable<string>,
  samples: readonly Batch[],
): Promise<Map<string, ChannelFigures>> {
  const stats = new Map([...values].map((value) => [value, new ChannelStats()]));
  await watch(graph, [...stats.keys()], samples, (value, data, dims) => stats.get(value)!.see(data, dims));
  return new Map([...stats].map(([value, one]) => [value, one.figures()]));
}

/** Second pass: histograms between the extremes. Memory does not grow with the number of samples. */
export async function observeHistograms(
  graph: Graph,
  figures: ReadonlyMap<string, ChannelFigures>,
  samples: readonly Batch[],
): Promise<Map<string, Observer>> {
  const observers = new Map(
    [...figures].map(([value, { min, max }]) => {
      const low = min.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
      const high = max.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY);
      return [value, new Observer({ min: low, max: high })];
    }),
  );
  await watch(graph, [...observers.keys()], samples, (value, data) => observers.get(value)!.count(data));
  return observers;
}
