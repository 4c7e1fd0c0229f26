import type { Graph } from './graph.js';
import { intAttribute, intOf, type Node } from './node.js';
import { elementCount, floatTensor } from './tensor.js';

/**
 * Adds to a graph the patches that a convolution multiplies its filters with: [N, C * k, ...], where k counts the places
 * of the kernel and element (c, i, j) is channel c shifted, in the order of W[o]. They come from a grouped convolution
 * with one-hot filters; a 1x1 convolution that neither strides nor pads reads its input as it is.
 * @returns the value that holds them
 */
export function addPatches(graph: Graph, conv: Node): string {
  const { dims } = graph.constantOf(conv, 1)!;
  const [channels, places] = [dims[1]! * intOf(conv, 'group', 1), elementCount(dims.slice(2))];
  const moved = (name: string, still: bigint): boolean =>
    conv.attributes.get(name)?.ints.some((value) => value !== still) ?? false;
  if (places === 1 && !moved('strides', 1n) && !moved('pads', 0n) && !conv.attributes.has('auto_pad')) {
    return conv.inputs[0]!;
  }
  const filters = new Float32Array(channels * places * places);
  for (let row = 0; row < channels * places; row++) filters[row * places + (row % places)] = 1;
  const shape = [channels * places, 1, ...dims.slice(2)];
  const weights = graph.addConstant(`${conv.name}/one-hot`, floatTensor(shape, filters));
  const outputs = [graph.freshName(`${conv.name}/patches`)];
  const kept = [...conv.attributes.values()].filter(({ name }) => name !== 'group');
  const attributes = [...kept, intAttribute('group', channels)];
  graph.add({ opType: 'Conv', inputs: [conv.inputs[0]!, weights], outputs, attributes });
  return outputs[0]!;
}
