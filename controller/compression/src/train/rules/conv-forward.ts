import { BLOCKED, blockDepthwise, blockWeights, fromBlocked, toBlocked } from '../layout.js';
import type { Attributes, Ref, Tape } from '../tape.js';
import { isSquare, type Window } from './window.js';

/** A convolution with its sizes: x [N, I, H, W], w [O, I/groups, kh, kw], y [N, O, oh, ow]. */
export interface Convolution {
  readonly tape: Tape;
  readonly x: Ref;
  readonly w: Ref;
  readonly window: Window;
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
}

export const isPointwise = ({ window: { kernel, pads }, groups }: Convolution): boolean =>
  groups === 1 && kernel[0] === 1 && kernel[1] === 1 && pads.every((size) => size === 0);

export const isDepthwise = ({ groups, inChannels, outChannels }: Convolution): boolean =>
  groups > 1 && groups === inChannels && groups === outChannels;

/** True where the blocked kernel takes it: dense with channels that fill blocks on both sides, or depthwise. */
export function isBlockable(conv: Convolution): boolean {
  const { tape, inChannels, outChannels, groups, window } = conv;
  const { block } = tape;
  if (block === 1 || !isSquare(window) || inChannels % block !== 0) return false;
  return groups === 1 ? outChannels % block === 0 : isDepthwise(conv);
}

export const attributesOf = ({ window, groups }: Convolution): Attributes => ({
  ...{ kernel_shape: window.kernel, strides: window.stride, dilations: window.dilation, pads: window.pads },
  group: groups,
});

/** A pointwise one without stride is a matrix product, for which the plain layout is faster. */
export function convForward(conv: Convolution, bias: Ref | null): Ref {
  const { tape, x, w, window, batch, outChannels } = conv;
  const dims = [batch, outChannels, ...window.out];
  const more = bias ? [bias] : [];
  if (!isBlockable(conv) || (isPointwise(conv) && window.stride[0] === 1)) {
    return tape.emit('Conv', [x, w, ...more], dims, attributesOf(conv));
  }
  const blocked = isDepthwise(conv) ? blockDepthwise(tape, w) : blockWeights(tape, w);
  const y = tape.emit('Conv', [toBlocked(tape, x), blocked, ...more], dims, attributesOf(conv), BLOCKED);
  return fromBlocked(tape, y, outChannels);
}
