/**
 * dW of a convolution, again as a convolution: x is the image and dy the kernel, samples take the place of the input
 * channels, and stride and dilation change places. x is padded, or cropped, to exactly what the windows reach.
 */
import { BLOCKED, fromBlocked, toBlocked } from '../layout.js';
import { MICROSOFT, type Ref } from '../tape.js';
import { type Convolution, isBlockable, isDepthwise, isPointwise } from './conv-forward.js';
import { isSquare, type Pair, reach } from './window.js';

export function convWeightGradient(conv: Convolution, dy: Ref): Ref {
  const { tape, groups, batch, outChannels, window } = conv;
  if (isPointwise(conv)) return pointwise(conv, dy);
  if (isDepthwise(conv) && isBlockable(conv)) return depthwise(conv, dy);
  const fills = tape.block > 1 && batch % tape.block === 0 && outChannels % tape.block === 0;
  if (groups === 1 && fills && isSquare(window)) return dense(conv, dy);
  return general(conv, dy);
}

/** dy xᵀ of every sample, summed. */
function pointwise({ tape, x, window, batch, inChannels, outChannels }: Convolution, dy: Ref): Ref {
  const { stride, size, out } = window;
  const read = stride[0] > 1 || stride[1] > 1 ? tape.slice(x, [2, 3], [0, 0], size, stride) : x;
  const pixels = out[0] * out[1];
  const operands = [tape.reshape(dy, [batch, outChannels, pixels]), tape.reshape(read, [batch, inChannels, pixels])];
  const products = tape.emit('FusedMatMul', operands, [batch, outChannels, inChannels], { transB: 1 }, MICROSOFT);
  return tape.reshape(tape.sum(products, [0]), [outChannels, inChannels, 1, 1]);
}

/** Rows and columns to add at the ends of x, negative to crop. */
const ends = ({ window }: Convolution): Pair => {
  const [used, { size, pads }] = [reach(window), window];
  return [used[0] - size[0] - pads[0], used[1] - size[1] - pads[1]];
};

/** Every channel of every sample is a group of its own, and its kernel is its dy. */
function depthwise(conv: Convolution, dy: Ref): Ref {
  const { tape, x, window, batch, inChannels } = conv;
  const { size, out, kernel, stride, dilation, pads } = window;
  const groups = batch * inChannels;
  const end = ends(conv).map((more) => Math.max(more, 0));
  const made = ([0, 1] as const).map((axis) => {
    const room = size[axis] + pads[axis] + end[axis]! - stride[axis] * (out[axis] - 1) - 1;
    return Math.floor(room / dilation[axis]) + 1;
  });
  const image = tape.reshape(toBlocked(tape, x), [1, groups, ...size]);
  const taps = tape.reshape(toBlocked(tape, dy), [groups, 1, ...out]);
  const attributes = {
    ...{ kernel_shape: out, pads: [pads[0], pads[1], ...end], dilations: stride, strides: dilation, group: groups },
  };
  const blocked = tape.emit('Conv', [image, taps], [1, groups, ...made], attributes, BLOCKED);
  const each = fromBlocked(tape, blocked, groups);
  const exact = made[0] === kernel[0] && made[1] === kernel[1];
  const cropped = exact ? each : tape.slice(each, [2, 3], [0, 0], kernel);
  const rows = tape.reshape(cropped, [batch, inChannels * kernel[0] * kernel[1]]);
  return tape.reshape(tape.sum(rows, [0]), [inChannels, 1, ...kernel]);
}

/**
 * Samples in blocks take the place of input channels. With few output channels two input channels lie side by side along
 * the width (dilation 2), so that one load of dy serves twice as many results.
 */
function dense(conv: Convolution, dy: Ref): Ref {
  const { tape, x, window, batch, inChannels, outChannels } = conv;
  const { block } = tape;
  const { size, out, kernel, stride, dilation, pads } = window;
  const pair = dilation[0] === 1 && outChannels <= 2 * block && inChannels % 2 === 0 ? 2 : 1;
  const images = inChannels / pair;
  const [used, end] = [reach(window), ends(conv)];
  const image = tape.once(`samples first ${x} ${pads} ${used} ${pair}`, () => {
    const flat = tape.reshape(x, [1, batch, inChannels * size[0], size[1]]);
    const blocks = tape.emit('ReorderInput', [flat], tape.shape(flat), {}, BLOCKED);
    const split = tape.reshape(blocks, [batch / block, images, pair, size[0] * size[1], block]);
    const rows = tape.reshape(tape.transpose(split, [1, 0, 3, 2, 4]), [
      (images * batch) / block,
      size[0],
      size[1] * pair * block,
    ]);
    const lane = pair * block;
    const fitted = tape.pad(rows, [0, pads[0], pads[1] * lane], [0, end[0], end[1] * lane]);
    return tape.reshape(fitted, [images, batch, used[0], used[1] * pair]);
  });
  const split = tape.reshape(toBlocked(tape, dy), [batch / block, block, outChannels / block, out[0] * out[1], block]);
  const taps = tape.reshape(tape.transpose(split, [2, 0, 3, 1, 4]), [outChannels, batch, ...out]);
  const made = tape.emit(
    'Conv',
    [image, taps],
    [images, outChannels, kernel[0], kernel[1] * pair],
    { kernel_shape: out, pads: [0, 0, 0, 0], dilations: [stride[0], stride[1] * pair], strides: dilation },
    BLOCKED,
  );
  const plain = tape.reshape(fromBlocked(tape, made, outChannels), [images, outChannels, ...kernel, pair]);
  return tape.reshape(tape.transpose(plain, [1, 0, 4, 2, 3]), [outChannels, inChannels, ...kernel]);
}

/** Any channels and groups: a 3-D convolution, in which the input channels of a group are the depth. */
function general(conv: Convolution, dy: Ref): Ref {
  const { tape, x, window, batch, inChannels, outChannels, groups } = conv;
  const { out, kernel, stride, dilation, pads } = window;
  const [used, end] = [reach(window), ends(conv)];
  const depth = inChannels / groups;
  const fitted = tape.pad(x, [0, 0, pads[0], pads[1]], [0, 0, end[0], end[1]]);
  const byGroup = (): Ref =>
    tape.transpose(tape.reshape(fitted, [batch, groups, depth * used[0] * used[1]]), [1, 0, 2]);
  const image = tape.reshape(groups > 1 ? byGroup() : fitted, [1, groups * batch, depth, ...used]);
  const taps = tape.reshape(tape.transpose(dy, [1, 0, 2, 3]), [outChannels, batch, 1, ...out]);
  const made = tape.emit('Conv', [image, taps], [1, outChannels, depth, ...kernel], {
    ...{ kernel_shape: [1, ...out], dilations: [1, ...stride], strides: [1, ...dilation], group: groups },
  });
  return tape.reshape(made, [outChannels, depth, ...kernel]);
}
