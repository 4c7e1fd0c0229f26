import type { LayerFigures } from '@espalier/proto';
import type { HardwareProfile } from '../hardware/profile.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { ALONE } from '../share/shared.js';
import type { Range } from './affine.js';
import { valuesAround } from './around.js';
import { type Base, equalizeBase } from './base.js';
import { type Observing, observeChannels } from './calibrate.js';
import { CalibrationCache } from './calibration-cache.js';
import type { ChannelFigures } from './channel-stats.js';
import type { Insertion } from './insert.js';
import { layersOf } from './layers.js';
import { observeMoments } from './moments.js';
import { METHODS, type Method } from './observer.js';
import { type Plan, placeQuantizers, planKey, WEIGHTED } from './place.js';
import { raised, whyNotWeighted } from './plan.js';
import { reliefOf } from './relief.js';
import {
  type CalibrationOptions,
  drawSamples,
  firstFloats,
  keyOfFeeding,
  type Samples,
  samplesKey,
} from './samples.js';
import { type Built, type Candidate, type Choice, Search, type Written } from './search.js';
import { settleMeans } from './settle-means.js';
import { unlikeConcats } from './ties.js';

export interface Quantized {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly choice: Choice;
  readonly insertion: Insertion;
  /** Every choice that was built, with its SQNR on the calibration samples kept for choosing. */
  readonly candidates: readonly Candidate[];
  /** What the user should know of the calibration. */
  readonly notes: readonly string[];
  /** How near to float each layer is. */
  readonly layers: readonly LayerFigures[];
}

/** A finished choice, of which builds can be made in which some nodes have more than 8 bits. */
export interface Refinable {
  /** The float graph that builds are written from. */
  readonly float: Graph;
  readonly plan: Plan;
  readonly best: Built;
  readonly samples: Samples;
  /** The same choice with these nodes relieved, each for its reason; null where no node would be int8 any more. See {@link reliefOf}. */
  relieve(nodes: ReadonlyMap<string, string>): Promise<(Written & { readonly plan: Plan }) | null>;
}

/** Decides which nodes are relieved of 8 bits, each with the reason. */
export type Refine = (found: Refinable) => Promise<ReadonlyMap<string, string>>;

/** Floats of inputs that the moments are taken over. */
const MOMENT_FLOATS = 2_400_000;

/**
 * Static int8: decides the places, observes them on one part of the calibration data, and chooses on the other part
 * what brings the outputs nearest to float. The given graph stays as it is; null when nothing in it can be int8.
 */
export async function quantize(
  graph: Graph,
  profile: HardwareProfile,
  options: CalibrationOptions,
  refine: Refine | null = null,
): Promise<Quantized | null> {
  const plan = placeQuantizers(graph, profile);
  if (!hasInt8(plan)) return null;
  const tell: Tell = (done) => {
    options.signal?.throwIfAborted();
    options.onProgress?.(done);
  };
  const { shared = ALONE } = options;
  const samples = await shared.once('samples', [options.data.spec, keyOfFeeding(options.feeding)], () =>
    drawSamples({ ...options, onProgress: (share) => tell(0.1 * share) }),
  );
  const cache = options.cache ? await CalibrationCache.open(options.cache, graph, samples.fit) : null;
  try {
    const observing = { cache, shared, around: valuesAround(graph, plan.values) };
    const found = await observeAndChoose(graph, plan, profile, samples, {
      ...{ method: options.method, refine, tell, observing },
    });
    return { ...found, notes: cache?.notes() ?? [] };
  } finally {
    await cache?.close();
  }
}

type Tell = (done: number) => void;

interface How {
  readonly method: Method | undefined;
  readonly refine: Refine | null;
  readonly observing: Required<Observing>;
  readonly tell: Tell;
}

async function observeAndChoose(
  graph: Graph,
  placed: Plan,
  profile: HardwareProfile,
  samples: Samples,
  how: How,
): Promise<Omit<Quantized, 'notes'>> {
  const { shared, around } = how.observing;
  const figures = await observeChannels(graph, around, samples.fit, how.observing);
  how.tell(0.3);
  const unlike = unlikeConcats(graph, placed, extremesOf(figures));
  const plan = unlike.size > 0 ? placeQuantizers(graph, profile, unlike) : placed;
  const found = { graph, figures, moments: new Map() };
  if (how.refine) return choose(found, { plan, unlike, profile, samples, how });
  // All that a choice rests on beside the graph: the reasons of a plan name the profile, and decide nothing.
  const { scheme, placement } = profile;
  const on = [graph, samplesKey(samples.fit), planKey(placed), planKey(plan), scheme, placement.at];
  const chosen = await shared.once('int8', [...on, how.method ?? null], () =>
    choose(found, { plan, unlike, profile, samples, how }),
  );
  return { ...chosen, plan, graph: cloneGraph(chosen.graph) };
}

interface Given {
  readonly plan: Plan;
  /** Nodes that stay float for what their operands are. */
  readonly unlike: ReadonlyMap<string, string>;
  readonly profile: HardwareProfile;
  readonly samples: Samples;
  readonly how: How;
}

async function choose(seen: Base, { plan, unlike, profile, samples, how }: Given): Promise<Omit<Quantized, 'notes'>> {
  const { graph } = seen;
  const { method, refine, observing, tell } = how;
  // Of all nodes that some hardware quantizes, not of this plan's alone: plans of one graph see the same numbers.
  const weighted = graph.nodes.filter((node) => WEIGHTED.has(node.opType) && whyNotWeighted(graph, node) === null);
  const moments = await observeMoments(graph, weighted, firstFloats(samples.fit, MOMENT_FLOATS), observing);
  tell(0.5);
  const base: Base = { ...seen, moments: settleMeans(graph, moments, seen.figures) };
  const methods = method ? [method] : METHODS;
  const search = new Search(plan, profile, samples, base, equalizeBase(base), methods, observing);
  const searched = refine ? 0.2 : 0.5;
  const best = await search.run((share) => tell(0.5 + searched * share));
  const { graph: quantized, ...found } = best;
  const withLayers = async (built: Omit<Quantized, 'layers' | 'notes'>): Promise<Omit<Quantized, 'notes'>> => ({
    ...built,
    layers: await layersOf(search, plan, built, samples),
  });
  const plain = { ...found, graph: quantized, plan };
  if (!refine) return withLayers(plain);
  const relieve: Refinable['relieve'] = async (nodes) => {
    const other =
      reliefOf(profile) === 'int16'
        ? raised(plan, nodes)
        : placeQuantizers(graph, profile, new Map([...unlike, ...nodes]));
    return hasInt8(other) ? { ...(await search.write(best.choice, other)), plan: other } : null;
  };
  const nodes = await refine({ float: search.baseOf(best.choice).graph, plan, best, samples, relieve });
  tell(1);
  const refined = nodes.size > 0 ? await relieve(nodes) : null;
  return withLayers(refined ? { ...plain, ...refined } : plain);
}

const hasInt8 = ({ decisions }: Plan): boolean => [...decisions.values()].some(({ kind }) => kind === 'int8');

const extremesOf = (figures: ReadonlyMap<string, ChannelFigures>): Map<string, Range> =>
  new Map([...figures].map(([value, { min, max }]) => [value, { min: Math.min(0, ...min), max: Math.max(0, ...max) }]));
