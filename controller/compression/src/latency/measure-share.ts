import type { HardwareProfile } from '../hardware/profile.js';
import type { Graph } from '../onnx/graph.js';
import type { Prunable } from '../prune/prunable.js';
import { measurePair, steadyUs } from '../recipe/latency.js';
import { Session } from '../runtime/session.js';
import { timedBuild } from './plan.js';
import { timingSamples } from './profile-ops.js';

/** The latency of a variant as a share of its parent's, both built alike and timed by turns on this machine. */
export async function measureShare(
  parent: Prunable,
  variant: Graph,
  build: { readonly profile: HardwareProfile; readonly precision: 'int8' | 'float32' },
): Promise<number> {
  const samples = await timingSamples(parent);
  const open = async (graph: Graph): Promise<Session> =>
    Session.open(await timedBuild(graph, build, samples), 'a timed build', build.profile.session);
  const [whole, own] = [await open(parent.graph), await open(variant)];
  try {
    const pair = await measurePair(whole, own, samples[0]!.feeds, parent.feeding.signal);
    const { float, variant } = steadyUs(pair, build.profile.session);
    return variant / float;
  } finally {
    await Promise.all([whole.dispose(), own.dispose()]);
  }
}
