/** How a window slides over [N, C, H, W]: pairs are (height, width), paddings (top, left, bottom, right). */
import { intOf, intsOf, type Node } from '../../onnx/node.js';
import type { Dims } from '../tape.js';
import { type RuleContext, refuse } from './rule.js';

export type Pair = readonly [number, number];

export interface Window {
  readonly size: Pair;
  readonly out: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly pads: readonly [number, number, number, number];
}

const pairOf = (node: Node, name: string): Pair => (intsOf(node, name) ?? [1, 1]) as unknown as Pair;

/** Paddings by `auto_pad` or `pads` [ONNX Conv-11]; SAME pads to ceil(size / stride), the odd row as its name says. */
function padsOf(node: Node, size: Pair, span: Pair, stride: Pair): Window['pads'] {
  const mode = new TextDecoder().decode(node.attributes.get('auto_pad')?.s ?? new Uint8Array());
  if (!mode.startsWith('SAME')) return (intsOf(node, 'pads') ?? [0, 0, 0, 0]) as unknown as Window['pads'];
  const whole = size.map((length, axis) => {
    const out = Math.ceil(length / stride[axis]!);
    return Math.max(0, (out - 1) * stride[axis]! + span[axis]! - length);
  }) as unknown as Pair;
  const [less, more] = [whole.map((sum) => Math.floor(sum / 2)), whole.map((sum) => Math.ceil(sum / 2))];
  const [begin, end] = mode === 'SAME_LOWER' ? [more, less] : [less, more];
  return [begin[0]!, begin[1]!, end[0]!, end[1]!];
}

export function windowOf(context: RuleContext, dims: Dims, kernelDims: Dims): Window {
  const { node } = context;
  if (dims.length !== 4 || kernelDims.length !== 2) refuse(context, 'only windows over two spatial axes are trained');
  if (intOf(node, 'ceil_mode', 0) !== 0) refuse(context, 'its output size is rounded up');
  const size: Pair = [dims[2]!, dims[3]!];
  const kernel: Pair = [kernelDims[0]!, kernelDims[1]!];
  const [stride, dilation] = [pairOf(node, 'strides'), pairOf(node, 'dilations')];
  const span: Pair = [dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1];
  const pads = padsOf(node, size, span, stride);
  const slid = (axis: 0 | 1): number =>
    Math.floor((size[axis] + pads[axis] + pads[axis + 2]! - span[axis]) / stride[axis]) + 1;
  return { size, out: [slid(0), slid(1)], kernel, stride, dilation, pads };
}

/** Rows and columns that the windows reach into, counted from the first padded one. */
export const reach = ({ out, kernel, stride, dilation }: Window): Pair => [
  (out[0] - 1) * stride[0] + dilation[0] * (kernel[0] - 1) + 1,
  (out[1] - 1) * stride[1] + dilation[1] * (kernel[1] - 1) + 1,
];

/** True where both axes slide alike, as the fast forms want it. */
export const isSquare = ({ stride, dilation }: Window): boolean =>
  stride[0] === stride[1] && dilation[0] === dilation[1];

/** What a ConvTranspose with this window has to add at the end to give back the size it came from. */
export const outputPadding = (window: Window): Pair => {
  const used = reach(window);
  const { size, pads } = window;
  return [size[0] - used[0] + pads[0] + pads[2], size[1] - used[1] + pads[1] + pads[3]];
};

/** The window of a 1x1 convolution. */
export const pointwiseWindow = (size: Pair): Window => ({
  ...{ size, out: size, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads: [0, 0, 0, 0] },
});
