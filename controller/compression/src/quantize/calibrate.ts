import type { Batch } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { returningOnly } from '../passes/returning-only.js';
import { collectGarbage } from '../runtime/collect.js';
import { runShapes } from '../runtime/run-shapes.js';
import { Session } from '../runtime/session.js';
import { ALONE, type Shared } from '../share/shared.js';
import type { Range } from './affine.js';
import type { CalibrationCache, Kept } from './calibration-cache.js';
import { type ChannelFigures, ChannelStats } from './channel-stats.js';
import { inGroups } from './groups.js';
import { Observer } from './observer.js';
import { samplesKey } from './samples.js';
import { channelTap, histogramTap, type Tap, type TapMaker, wholeTap } from './taps.js';

/** Bytes that the taps of one session may return: with more, the samples are run again for the rest. */
const TAPPED_BYTES_MAX = 20_000_000;

/** How an observation stands among others. */
export interface Observing {
  readonly cache?: CalibrationCache | null;
  readonly shared?: Shared;
  /** Values that sessions return beside those asked for: see {@link valuesAround}. */
  readonly around?: readonly string[];
}

/** One pass over the samples: what is summed of each value. */
interface Pass<Figures extends Kept> extends Observing {
  readonly graph: Graph;
  readonly samples: readonly Batch[];
  make(value: string): Figures;
  tap(of: (value: string) => Figures): TapMaker;
  /** All that the figures of a value depend on beside graph, samples and value. */
  what(value: string): unknown;
}

/**
 * Runs a float graph over samples with taps on values, as many at once as memory allows. Sessions return the values around
 * those that are asked for too; only what is asked for is summed.
 */
async function watch<Figures extends Kept>(
  asked: readonly string[],
  pass: Pass<Figures>,
): Promise<Map<string, Figures>> {
  const { graph, samples, cache = null, shared = ALONE, make, tap, what } = pass;
  const found = new Map(asked.map((value) => [value, make(value)]));
  if (samples.length === 0 || asked.length === 0) return found;
  const around = pass.around ?? asked;
  const shapes = await shared.once('shapes', [graph, samplesKey(samples), around], () =>
    runShapes(graph, samples[0]!.feeds, around),
  );
  const known = around.filter((value) => shapes.has(value));
  const maker = tap((value) => found.get(value)!);
  const sized = cloneGraph(graph);
  const bytes = new Map(known.map((value) => [value, maker(sized, value, shapes.get(value)!).bytes]));
  for (const group of inGroups(known, (value) => bytes.get(value)!, TAPPED_BYTES_MAX)) {
    const wanted = group.filter((value) => found.has(value));
    if (wanted.length === 0) continue;
    const names = [...wanted.map((value) => [value, what(value)]), group];
    const summed = await shared.once('observed', [graph, samplesKey(samples), names], async () => {
      const figures = new Map(wanted.map((value) => [value, make(value)]));
      const measure = async (): Promise<void> => {
        const tapped = cloneGraph(graph);
        const making = tap((value) => figures.get(value)!);
        const taps = group.map((value) => ({
          isSeen: figures.has(value),
          ...making(tapped, value, shapes.get(value)!),
        }));
        await runTaps(tapped, taps, samples);
      };
      if (cache) await cache.through(graph, names, [...figures.values()], measure);
      else await measure();
      return figures;
    });
    for (const value of wanted) found.set(value, summed.get(value)!);
  }
  return found;
}

async function runTaps(
  tapped: Graph,
  taps: readonly (Tap & { readonly isSeen: boolean })[],
  samples: readonly Batch[],
): Promise<void> {
  const outputs = taps.flatMap((tap) => tap.outputs);
  const session = await Session.open(encodeModel(returningOnly(tapped, outputs)), 'the calibration graph');
  try {
    for (const { feeds } of samples) {
      const found = await session.runAlone(feeds);
      for (const tap of taps) if (tap.isSeen) tap.see(tap.outputs.map((output) => found[output]!));
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
  observing: Observing = {},
): Promise<Map<string, ChannelFigures>> {
  const pass = { ...observing, graph, samples, make: () => new ChannelStats() };
  const stats = await watch([...values], { ...pass, tap: channelTap, what: () => 'channels' });
  // The runtime's reductions take NaN and infinity in; where they came, each number is looked at.
  for (const value of [...stats.keys()].filter((one) => !stats.get(one)!.isFinite())) {
    const whole = await watch([value], { ...pass, around: [value], tap: wholeTap, what: () => 'whole' });
    stats.set(value, whole.get(value)!);
  }
  return new Map([...stats].map(([value, one]) => [value, one.figures()]));
}

/** The range of all channels together. */
const widest = ({ min, max }: ChannelFigures): Range => ({
  min: min.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY),
  max: max.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY),
});

/**
 * Second pass: histograms between the extremes. Memory does not grow with the number of samples.
 * @param figures of the values asked for
 */
export async function observeHistograms(
  graph: Graph,
  figures: ReadonlyMap<string, ChannelFigures>,
  samples: readonly Batch[],
  observing: Observing = {},
): Promise<Map<string, Observer>> {
  const ranges = new Map([...figures].map(([value, one]) => [value, widest(one)]));
  return watch([...figures.keys()], {
    ...{ ...observing, graph, samples, tap: histogramTap },
    make: (value) => new Observer(ranges.get(value)!),
    what: (value) => ['histogram', ranges.get(value)],
  });
}
