import type { Batch } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { returningOnly } from '../passes/returning-only.js';
import { collectGarbage } from '../runtime/collect.js';
import { runShapes } from '../runtime/run-shapes.js';
import { Session } from '../runtime/session.js';
import type { Range } from './affine.js';
import type { CalibrationCache, Kept } from './calibration-cache.js';
import { type ChannelFigures, ChannelStats } from './channel-stats.js';
import { inGroups } from './groups.js';
import { Observer } from './observer.js';
import { channelTap, histogramTap, type Tap, type TapMaker, wholeTap } from './taps.js';

/** Bytes that the taps of one session may return: with more, the samples are run again for the rest. */
const TAPPED_BYTES_MAX = 20_000_000;

/** Where what one pass finds is kept; `what` is all that it depends on beside graph, samples and value. */
interface Keeping {
  readonly cache: CalibrationCache | null;
  figuresOf(value: string): Kept;
  what(value: string): unknown;
}

/** Runs a float graph over samples with taps on the given values, as many at once as memory allows. */
async function watch(
  graph: Graph,
  values: readonly string[],
  samples: readonly Batch[],
  maker: TapMaker,
  { cache, figuresOf, what }: Keeping,
): Promise<void> {
  if (samples.length === 0 || values.length === 0) return;
  const shapes = await runShapes(graph, samples[0]!.feeds, values);
  const known = values.filter((value) => shapes.has(value));
  const sized = cloneGraph(graph);
  const bytes = new Map(known.map((value) => [value, maker(sized, value, shapes.get(value)!).bytes]));
  for (const group of inGroups(known, (value) => bytes.get(value)!, TAPPED_BYTES_MAX)) {
    const measure = async (): Promise<void> => {
      const tapped = cloneGraph(graph);
      const taps = group.map((value) => maker(tapped, value, shapes.get(value)!));
      await runTaps(tapped, taps, samples);
    };
    const names = group.map((value) => [value, what(value)]);
    if (cache) await cache.through(graph, names, group.map(figuresOf), measure);
    else await measure();
  }
}

async function runTaps(tapped: Graph, taps: readonly Tap[], samples: readonly Batch[]): Promise<void> {
  const outputs = taps.flatMap((tap) => tap.outputs);
  const session = await Session.open(encodeModel(returningOnly(tapped, outputs)), 'the calibration graph');
  try {
    for (const { feeds } of samples) {
      const found = await session.runAlone(feeds);
      for (const tap of taps) tap.see(tap.outputs.map((output) => found[output]!));
    }
  } finally {
    await session.dispose();
    collectGarbage();
  }
}

/** First pass: extremes and moments of each channel of the values. Memory does not grow with the samples. */
export async function observeChannels(
  graph: Graph,
  values: Iterable<string>,
  samples: readonly Batch[],
  cache: CalibrationCache | null = null,
): Promise<Map<string, ChannelFigures>> {
  const stats = new Map([...values].map((value) => [value, new ChannelStats()]));
  const statsOf = (value: string): ChannelStats => stats.get(value)!;
  await watch(graph, [...stats.keys()], samples, channelTap(statsOf), {
    cache,
    figuresOf: statsOf,
    what: () => 'channels',
  });
  // The runtime's reductions take NaN and infinity in; where they came, each number is looked at.
  const wild = [...stats.keys()].filter((value) => !statsOf(value).isFinite());
  for (const value of wild) stats.set(value, new ChannelStats());
  await watch(graph, wild, samples, wholeTap(statsOf), { cache, figuresOf: statsOf, what: () => 'whole' });
  return new Map([...stats].map(([value, one]) => [value, one.figures()]));
}

/** The range of all channels together. */
const widest = (min: Float64Array, max: Float64Array): Range => ({
  min: min.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY),
  max: max.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY),
});

/** Second pass: histograms between the extremes. Memory does not grow with the number of samples. */
export async function observeHistograms(
  graph: Graph,
  figures: ReadonlyMap<string, ChannelFigures>,
  samples: readonly Batch[],
  cache: CalibrationCache | null = null,
): Promise<Map<string, Observer>> {
  const ranges = new Map([...figures].map(([value, { min, max }]) => [value, widest(min, max)]));
  const observers = new Map([...ranges].map(([value, range]) => [value, new Observer(range)]));
  const observerOf = (value: string): Observer => observers.get(value)!;
  await watch(graph, [...observers.keys()], samples, histogramTap(observerOf), {
    cache,
    figuresOf: observerOf,
    what: (value) => ['histogram', ranges.get(value)],
  });
  return observers;
}
