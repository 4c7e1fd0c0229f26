import type { SessionOptions } from '@espalier/proto';
import { encodeModel } from '../onnx/codec.js';
import { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import type { Feeds } from '../runtime/session.js';
import { nodeTimes } from './node-times.js';

/** Runs that are profiled: as many as take about half a second, within these bounds. */
const PROFILED_US = 500_000;
const RUNS = { least: 20, most: 200 };

/**
 * What share of a run each node of an optimized graph takes, 0..1; they sum to 1. The graph is run as it is, under names
 * that tell every node from every other, which the runtime's own names do not.
 * @param optimized the graph as the runtime saved it
 * @param options of the session whose graph it is
 * @param runUs what one run takes, about
 */
export async function nodeShares(
  optimized: Graph,
  feeds: Feeds,
  options: SessionOptions,
  runUs: number,
): Promise<Map<Node, number>> {
  const { shell, nodes, constants, inputs, outputs } = optimized;
  const named = nodes.map((node, at): Node => ({ ...node, name: `${at}` }));
  const graph = new Graph(shell, {
    nodes: named,
    constants: new Map(constants),
    inputs: [...inputs],
    outputs: [...outputs],
  });
  const runs = Math.round(Math.min(RUNS.most, Math.max(RUNS.least, PROFILED_US / Math.max(1, runUs))));
  const asSaved = { ...options, graphOptimizationLevel: 'disabled' as const };
  const times = await nodeTimes(encodeModel(graph), feeds, asSaved, runs);
  const timeOf = (at: number): number => times.get(`${at}`) ?? 0;
  const total = nodes.reduce((sum, _, at) => sum + timeOf(at), 0);
  return new Map(total > 0 ? nodes.map((node, at) => [node, timeOf(at) / total]) : []);
}
