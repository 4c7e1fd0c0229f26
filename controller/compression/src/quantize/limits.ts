import type { HardwareProfile } from '../hardware/profile.js';
import type { Limit, Narrow } from '../hardware/rules.js';
import type { Graph } from '../onnx/graph.js';
import { intOf, intsOf, type Node } from '../onnx/node.js';
import { elementCount } from '../onnx/tensor.js';
import { isDepthwise } from './channel-spaces.js';

/** Spatial sizes of a Conv's or a pool's window. */
const kernelOf = (graph: Graph, node: Node): readonly number[] =>
  intsOf(node, 'kernel_shape') ?? graph.constantOf(node, 1)?.dims.slice(2) ?? [];

/** Why a node is larger than the profile's accelerator takes, or null. Pure. */
export function beyondLimits(graph: Graph, node: Node, { id, limits }: HardwareProfile): string | null {
  const depthwise = node.opType === 'Conv' && limits.DepthwiseConv !== undefined && isDepthwise(graph, node);
  const limit = limits[depthwise ? 'DepthwiseConv' : node.opType];
  if (!limit) return null;
  const kernel = kernelOf(graph, node);
  const weights = graph.constantOf(node, 1)?.dims ?? [];
  const sizes: Record<keyof Limit, [what: string, size: number]> = {
    kernelMax: ['kernel', Math.max(0, ...kernel)],
    kernelHeightMax: ['kernel height', kernel[0] ?? 0],
    kernelAreaMax: ['kernel area', elementCount(kernel)],
    strideMax: ['stride', Math.max(0, ...(intsOf(node, 'strides') ?? []))],
    padMax: ['padding', Math.max(0, ...(intsOf(node, 'pads') ?? []))],
    dilationMax: ['dilation', Math.max(0, ...(intsOf(node, 'dilations') ?? []))],
    channelsMax: ['channels', Math.max(weights[0] ?? 0, (weights[1] ?? 0) * intOf(node, 'group', 1))],
  };
  for (const [name, most] of Object.entries(limit) as [keyof Limit, number | undefined][]) {
    const [what, size] = sizes[name];
    if (most !== undefined && size > most) return `its ${what} of ${size} is beyond the ${most} of ${id}`;
  }
  return null;
}

/**
 * Why a weighted node has too few channels for int8, or null. Pure.   [NVIDIA Model Optimizer, exclusion of narrow
 * convolutions and matrix products]
 * @param rows of a product's data, null where they may vary
 */
export function tooNarrow(graph: Graph, node: Node, narrow: Narrow | null, rows: number | null = null): string | null {
  const dims = graph.constantOf(node, 1)?.dims;
  // A transposed convolution widens an image that half precision would read and write at twice the bytes.
  if (!narrow || !dims || node.opType === 'ConvTranspose') return null;
  if (node.opType !== 'Conv') {
    if (rows !== null && rows < narrow.rowsMin) return `a product of ${rows} row waits for its weights`;
    const least = Math.min(...dims);
    return least < narrow.matrixMin ? `its weights have a side of ${least}; below ${narrow.matrixMin} it stays` : null;
  }
  const [output = 0, perGroup = 0, ...kernel] = dims;
  const group = intOf(node, 'group', 1);
  const channels = [perGroup * group, output];
  if (Math.min(...channels) >= narrow.channelsMin) return null;
  const isFirst = graph.inputs.some(({ name }) => name === node.inputs[0]);
  const isWide = Math.max(...channels) >= narrow.channelsMin;
  const dense =
    group === 1 &&
    new Set(kernel).size <= 1 &&
    channels.some((count) => count % narrow.denseMultiple === 0) &&
    (isFirst || isWide);
  const grouped = group > 1 && output % narrow.groupedMultiple === 0 && Math.min(...kernel) >= narrow.groupedKernelMin;
  return dense || grouped ? null : `${channels.join(' to ')} channels are too few for int8 to pay`;
}
