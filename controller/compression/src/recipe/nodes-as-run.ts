import type { Dataset } from '../data/content.js';
import { type BatchOptions, firstFeeds } from '../data/feeds.js';
import { RuntimeRefused } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { nodeShares } from '../latency/node-shares.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import type { LatencyPair } from './latency.js';
import { describeNodes, type NodeFigures } from './nodes.js';

interface Measured {
  readonly profile: HardwareProfile;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** Null where this machine is not one of the profile: shares of time would mislead too. */
  readonly latency: LatencyPair | null;
}

/**
 * The nodes of a graph as the runtime optimized it, each with its share of a run's time.
 * @param prepared see {@link describeNodes}
 */
export async function nodesAsRun(
  optimized: Graph,
  prepared: Parameters<typeof describeNodes>[1],
  measured: Measured,
): Promise<NodeFigures> {
  return describeNodes(optimized, prepared, await sharesOf(optimized, measured));
}

async function sharesOf(
  optimized: Graph,
  { profile, data, feeding, latency }: Measured,
): Promise<ReadonlyMap<Node, number> | null> {
  const feeds = latency && (await firstFeeds(data, feeding, 1));
  if (!feeds) return null;
  try {
    return await nodeShares(optimized, feeds, profile.session, latency.variant.p50Us);
  } catch (error) {
    // A graph that the runtime writes and does not read again: the proof goes without shares.
    if (RuntimeRefused.is(error)) return null;
    throw error;
  }
}
