import type { Graph } from '../onnx/graph.js';
import { elementCount } from '../onnx/tensor.js';
import type { ChannelFigures } from './channel-stats.js';
import type { Moments } from './moments.js';

/**
 * Means of patches, taken over some places of some samples, drawn to the means of their channels, which are known over all:
 * E[x_ck] + (E'[x_c] - E[x_c0]), where place 0 is the middle of the kernel, which padding never covers. Correcting biases
 * hangs on these means; covariances need no more than their samples. Pure.
 */
export function settleMeans(
  graph: Graph,
  moments: ReadonlyMap<string, Moments>,
  figures: ReadonlyMap<string, ChannelFigures>,
): Map<string, Moments> {
  const nodes = graph.nodes.filter(({ name }) => moments.has(name));
  return new Map(
    nodes.map((node) => {
      const known = moments.get(node.name)!;
      const places = node.opType === 'Conv' ? elementCount(graph.constantOf(node, 1)!.dims.slice(2)) : 1;
      const channels = figures.get(node.inputs[0]!)?.mean;
      if (channels?.length !== known.mean.length / places) return [node.name, known];
      const middle = Math.floor(places / 2);
      const mean = known.mean.map((value, at) => {
        const channel = Math.floor(at / places);
        return value + channels[channel]! - known.mean[channel * places + middle]!;
      });
      return [node.name, { ...known, mean }];
    }),
  );
}
