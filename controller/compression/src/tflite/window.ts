import { intOf, intsOf, type Node } from '../onnx/node.js';
import { windowed } from '../onnx/shapes/windows.js';
import { AXIS_IN_NHWC, type Lowering, permute, TO_NHWC, type Value } from './lowering.js';
import { PADDING, type WindowFields } from './schema.js';

type Pair = readonly [number, number];

interface Windowed {
  /** The image the kernel reads: padded first where TensorFlow Lite's SAME would split the padding differently. */
  readonly input: Value;
  /** Of the output, NHWC. */
  readonly shape: readonly number[];
  readonly fields: WindowFields;
}

/** [top, left, bottom, right] [ONNX Conv-11, pads]. */
type Pads = readonly [number, number, number, number];

const pairOf = (node: Node, name: string): Pair => {
  const [height = 1, width = 1] = intsOf(node, name) ?? [];
  return [height, width];
};

const autoPad = (node: Node): string =>
  new TextDecoder().decode(node.attributes.get('auto_pad')?.s ?? new Uint8Array());

/**
 * How a 2-D window of an ONNX node slides in TensorFlow Lite.
 * @param channels of the output
 * @param mayPad whether padding with the zero point computes the same
 */
export function slide(
  at: Lowering,
  node: Node,
  image: Value,
  channels: number,
  kernel: Pair,
  mayPad: boolean,
): Windowed {
  if (image.shape.length !== 4) at.refuse(node, 'it is not two-dimensional');
  if (!['', 'NOTSET', 'VALID'].includes(autoPad(node))) at.refuse(node, `auto_pad ${autoPad(node)}`);
  const shape = windowed(node, permute(image.shape, AXIS_IN_NHWC), channels, kernel);
  if (!shape || shape.some((dim) => dim === null)) return at.refuse(node, 'the shape of its output is not known');
  const nhwc = permute(shape as number[], TO_NHWC);
  const [strides, dilations] = [pairOf(node, 'strides'), pairOf(node, 'dilations')];
  const pads = (intsOf(node, 'pads') ?? [0, 0, 0, 0]) as unknown as Pads;
  const fields = (padding: number): WindowFields => ({ padding, strides, dilations });
  if (pads.every((one) => one === 0)) {
    if (isCeiled(node, image, nhwc, kernel, strides)) at.refuse(node, 'its last window reaches beyond the image');
    return { input: image, shape: nhwc, fields: fields(PADDING.VALID) };
  }
  if (isSame(image, nhwc, kernel, fields(PADDING.SAME), pads)) {
    return { input: image, shape: nhwc, fields: fields(PADDING.SAME) };
  }
  if (!mayPad || intOf(node, 'ceil_mode', 0) !== 0)
    at.refuse(node, `its pads ${pads.join()} are neither SAME nor VALID`);
  const padded = pad(at, image, [0, pads[0], pads[1], 0], [0, pads[2], pads[3], 0], node.name);
  return { input: padded, shape: nhwc, fields: fields(PADDING.VALID) };
}

function isCeiled(node: Node, image: Value, output: readonly number[], kernel: Pair, strides: Pair): boolean {
  if (intOf(node, 'ceil_mode', 0) === 0) return false;
  return kernel.some((size, axis) => (output[axis + 1]! - 1) * strides[axis]! + size > image.shape[axis + 1]!);
}

/** SAME: ceil(size / stride) windows, the odd element of padding at the end.   [TensorFlow, tf.nn, "Notes on padding"] */
function isSame(image: Value, output: readonly number[], kernel: Pair, fields: WindowFields, pads: Pads): boolean {
  return [0, 1].every((axis) => {
    const [size, stride] = [image.shape[axis + 1]!, fields.strides[axis]!];
    const reach = (kernel[axis]! - 1) * fields.dilations[axis]! + 1;
    const windows = Math.ceil(size / stride);
    const total = Math.max((windows - 1) * stride + reach - size, 0);
    const begin = Math.floor(total / 2);
    return windows === output[axis + 1] && pads[axis] === begin && pads[axis + 2] === total - begin;
  });
}

/** The value with its zero point around it; `begin` and `end` by axis of the tensor. */
export function pad(at: Lowering, value: Value, begin: readonly number[], end: readonly number[], name: string): Value {
  const shape = value.shape.map((size, axis) => begin[axis]! + size + end[axis]!);
  const made = at.activation(`${name}/padded`, shape, value.quantization, value.layout);
  const amounts = shape.flatMap((_, axis) => [begin[axis]!, end[axis]!]);
  const inputs = [value.tensor, at.int32s(`${name}/pads`, amounts, [shape.length, 2])];
  at.emit({ name: 'PAD', inputs, outputs: [made.tensor], fields: [] });
  return made;
}
