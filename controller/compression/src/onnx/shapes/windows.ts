import { intOf, intsOf, type Node } from '../node.js';
import type { Dim, Shape } from './shape.js';

/** How a window slides along one spatial axis, in elements. */
interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: number;
}

const text = (node: Node, name: string): string =>
  new TextDecoder().decode(node.attributes.get(name)?.s ?? new Uint8Array());

/** Windows of each spatial axis, or null where the attributes are not as many as the axes. */
function windowsOf(node: Node, kernel: readonly number[]): Window[] | null {
  const axes = kernel.length;
  const strides = intsOf(node, 'strides') ?? kernel.map(() => 1);
  const dilations = intsOf(node, 'dilations') ?? kernel.map(() => 1);
  const pads = intsOf(node, 'pads') ?? new Array<number>(2 * axes).fill(0);
  if (strides.length !== axes || dilations.length !== axes || pads.length !== 2 * axes) return null;
  return kernel.map((size, at) => ({
    kernel: size,
    stride: strides[at]!,
    dilation: dilations[at]!,
    padding: pads[at]! + pads[at + axes]!,
  }));
}

/** Size of an axis after sliding; null where it is not known [ONNX Conv-11, MaxPool-12: output shape]. */
function slid(size: Dim, window: Window, autoPad: string, ceil: boolean): Dim {
  const { kernel, stride, dilation, padding } = window;
  if (size === null || stride < 1) return null;
  if (autoPad.startsWith('SAME')) return Math.ceil(size / stride);
  const room = size + (autoPad === 'VALID' ? 0 : padding) - (dilation * (kernel - 1) + 1);
  // A last window that starts in the padding is dropped by newer versions only.
  if (ceil && room % stride !== 0) return null;
  return room < 0 ? null : Math.floor(room / stride) + 1;
}

/** [N, channels, spatial...] of Conv and of pooling. */
export function windowed(node: Node, input: Shape, channels: Dim, kernel: readonly Dim[] | null): Shape {
  if (!input || !kernel || kernel.length !== input.length - 2) return null;
  const windows = windowsOf(
    node,
    kernel.map((size) => size ?? 0),
  );
  if (!windows) return null;
  const [autoPad, ceil] = [text(node, 'auto_pad'), intOf(node, 'ceil_mode', 0) !== 0];
  const spatial = windows.map((window, at) =>
    kernel[at] === null ? null : slid(input[at + 2]!, window, autoPad, ceil),
  );
  return [input[0]!, channels, ...spatial];
}
