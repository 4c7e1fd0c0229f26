import type { Batch } from '../data/feeds.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { returningOnly } from '../passes/returning-only.js';
import { collectGarbage } from '../runtime/collect.js';
import { type Feeds, Session } from '../runtime/session.js';
import { ALONE } from '../share/shared.js';
import type { Observing } from './calibrate.js';
import type { CalibrationCache, Kept } from './calibration-cache.js';
import { inGroups } from './groups.js';
import { filtersOf, isFitted, type MomentTap, SIZE_MAX, tapMoments } from './moment-taps.js';
import type { Numbers } from './record-log.js';
import { joined, samplesKey } from './samples.js';

/** First two moments of what the filters of a node are multiplied with: K inputs a filter, in G groups. */
export interface Moments {
  readonly groups: number;
  readonly size: number;
  /** E[x], [G, K]. */
  readonly mean: Float64Array;
  /** Cov(x) = E[x x^T] - E[x] E[x]^T of one group, [K, K]; empty where {@link isFitted} is false. */
  covariance(group: number): Float32Array;
}

/** Batches that are run as one: the matrices leave the runtime once for all of them. */
const JOINED = 8;
/** Bytes of matrices that one session may return: with more, the samples are run again for the rest. */
const GRAM_BYTES_MAX = 16_000_000;

/** Streams the moments of the inputs of nodes over samples. Memory: G K^2 numbers a node. */
export async function observeMoments(
  graph: Graph,
  nodes: readonly Node[],
  samples: readonly Batch[],
  { cache = null, shared = ALONE }: Pick<Observing, 'cache' | 'shared'> = {},
): Promise<Map<string, Moments>> {
  const sizeOf = (node: Node): number => {
    const { groups, size } = filtersOf(graph, node);
    return size > SIZE_MAX || !isFitted(graph, node) ? 0 : 4 * groups * size ** 2;
  };
  const found = new Map<string, Moments>();
  for (const group of inGroups(nodes, sizeOf, GRAM_BYTES_MAX)) {
    const names = group.map(({ name }) => name);
    const observed = await shared.once('moments', [graph, samplesKey(samples), names], () =>
      observeGroup(graph, new Set(names), samples, cache),
    );
    for (const [node, moments] of observed) found.set(node, moments);
    collectGarbage();
  }
  return found;
}

async function observeGroup(
  graph: Graph,
  names: ReadonlySet<string>,
  samples: readonly Batch[],
  cache: CalibrationCache | null,
): Promise<Map<string, Moments>> {
  const tapped = cloneGraph(graph);
  const n = samples.reduce((sum, { size }) => sum + size, 0);
  const taps = tapMoments(
    tapped,
    tapped.nodes.filter(({ name }) => names.has(name)),
    n,
  );
  if (taps.length === 0) return new Map();
  const sums = new Map(taps.map((tap) => [tap.node, new Sums(tap)]));
  const measure = (): Promise<void> => sumUp(tapped, taps, samples, sums);
  if (cache) await cache.through(graph, ['moments', ...sums.keys()], [...sums.values()], measure);
  else await measure();
  return new Map(taps.map((tap) => [tap.node, sums.get(tap.node)!.moments(tap)]));
}

async function sumUp(
  tapped: Graph,
  taps: readonly MomentTap[],
  samples: readonly Batch[],
  sums: ReadonlyMap<string, Sums>,
): Promise<void> {
  const outputs = taps.flatMap(({ gram, sum, count }) => [...(gram ? [gram] : []), sum, count]);
  const session = await Session.open(encodeModel(returningOnly(tapped, outputs)), 'the moments graph');
  try {
    for (const feeds of joined(tapped, samples, JOINED)) {
      const found = await session.runAlone(feeds);
      for (const tap of taps) sums.get(tap.node)!.add(found, tap);
    }
  } finally {
    await session.dispose();
  }
}

function addTo(sums: Float32Array | Float64Array, values: Float32Array): void {
  for (let at = 0; at < values.length; at++) sums[at]! += values[at]!;
}

class Sums implements Kept {
  private readonly gram: Float32Array;
  private readonly sum: Float64Array;
  private n = 0;

  constructor({ groups, size, gram }: MomentTap) {
    this.gram = new Float32Array(gram ? groups * size ** 2 : 0);
    this.sum = new Float64Array(groups * size);
  }

  add(found: Feeds, tap: MomentTap): void {
    const of = (name: string): Float32Array => found[name]!.data as Float32Array;
    if (tap.gram) addTo(this.gram, of(tap.gram));
    addTo(this.sum, of(tap.sum));
    this.n += of(tap.count)[0]! / (tap.groups * tap.size);
  }

  state(): Numbers[] {
    return [this.gram, this.sum, Float64Array.of(this.n)];
  }

  restore([gram, sum, n]: readonly Numbers[]): void {
    this.gram.set(gram!);
    this.sum.set(sum!);
    this.n = n![0]!;
  }

  moments({ groups, size }: MomentTap): Moments {
    const { gram, n } = this;
    const mean = this.sum.map((value) => value / n);
    for (let row = 0; gram.length > 0 && row < groups * size; row++) {
      const start = row - (row % size);
      for (let j = 0; j < size; j++) {
        gram[row * size + j] = gram[row * size + j]! / n - mean[row]! * mean[start + j]!;
      }
    }
    const block = size * size;
    return { groups, size, mean, covariance: (group) => gram.subarray(group * block, (group + 1) * block) };
  }
}

/** The moments of x / d, where d has one divisor for each of the G K inputs. */
export function divideMoments({ groups, size, mean, covariance }: Moments, divisors: Float64Array): Moments {
  return {
    groups,
    size,
    mean: mean.map((value, at) => value / divisors[at]!),
    covariance(group) {
      const d = divisors.subarray(group * size, (group + 1) * size);
      return covariance(group).map((value, at) => value / (d[Math.floor(at / size)]! * d[at % size]!));
    },
  };
}
