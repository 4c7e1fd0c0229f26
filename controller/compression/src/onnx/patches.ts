import type { AttributeProto } from './gen/onnx_pb.js';
import type { Graph } from './graph.js';
import { intAttribute, intOf, intsAttribute, intsOf, type Node } from './node.js';
import { elementCount, floatTensor, int64Tensor } from './tensor.js';

/**
 * Adds to a graph the patches that a convolution multiplies its filters with: [N, C * k, ...], where k counts the places
 * of the kernel and element (c, i, j) is channel c shifted, in the order of W[o]. They come from a grouped convolution
 * with one-hot filters; a 1x1 convolution that neither strides nor pads reads its input as it is.
 * @param step every how many places of the output are taken on each axis, from the middle of the first step
 * @returns the value that holds them
 */
export function addPatches(graph: Graph, conv: Node, step = 1): string {
  const { dims } = graph.constantOf(conv, 1)!;
  const [channels, places] = [dims[1]! * intOf(conv, 'group', 1), elementCount(dims.slice(2))];
  const moved = (name: string, still: bigint): boolean =>
    conv.attributes.get(name)?.ints.some((value) => value !== still) ?? false;
  const isAutomatic = conv.attributes.has('auto_pad');
  const isThinned = step > 1 && !isAutomatic;
  if (places === 1 && !isThinned && !moved('strides', 1n) && !moved('pads', 0n) && !isAutomatic) {
    return conv.inputs[0]!;
  }
  const filters = new Float32Array(channels * places * places);
  for (let row = 0; row < channels * places; row++) filters[row * places + (row % places)] = 1;
  const shape = [channels * places, 1, ...dims.slice(2)];
  const weights = graph.addConstant(`${conv.name}/one-hot`, floatTensor(shape, filters));
  const outputs = [graph.freshName(`${conv.name}/patches`)];
  const attributes = new Map(conv.attributes).set('group', intAttribute('group', channels));
  const input = isThinned ? thinned(graph, conv, attributes, dims.length - 2, step) : conv.inputs[0]!;
  graph.add({ opType: 'Conv', inputs: [input, weights], outputs, attributes: [...attributes.values()] });
  return outputs[0]!;
}

/** Takes larger strides, and cuts the input so that the first place is the middle of the first step. */
function thinned(
  graph: Graph,
  conv: Node,
  attributes: Map<string, AttributeProto>,
  axes: number,
  step: number,
): string {
  const strides = intsOf(conv, 'strides') ?? new Array<number>(axes).fill(1);
  const pads = intsOf(conv, 'pads') ?? new Array<number>(2 * axes).fill(0);
  // Pads below 0 cut.   [ONNX Pad-13]
  const first = strides.map((stride, axis) => pads[axis]! - Math.floor(step / 2) * stride);
  const all = int64Tensor([2 * axes + 4], [0, 0, ...first, 0, 0, ...pads.slice(axes)]);
  const cut = graph.freshName(`${conv.name}/cut`);
  graph.add({ opType: 'Pad', inputs: [conv.inputs[0]!, graph.addConstant(`${cut}/pads`, all)], outputs: [cut] });
  attributes.delete('pads');
  const wide = strides.map((stride) => stride * step);
  attributes.set('strides', intsAttribute('strides', wide));
  return cut;
}
