/**
 * dX of a convolution, as another convolution: with stride 1 by the flipped weights, with stride 2 as four of them, one
 * for each place of an output pixel in a 2x2 cell [Dumoulin and Visin 2016, ch. 4]; ConvTranspose elsewhere.
 */
import { BLOCKED, blockDepthwise, blockWeights, fromBlocked, spread, toBlocked } from '../layout.js';
import type { Ref } from '../tape.js';
import { type Convolution, isBlockable, isDepthwise, isPointwise } from './conv-forward.js';
import { outputPadding } from './window.js';

export function convInputGradient(conv: Convolution, dy: Ref): Ref {
  if (isPointwise(conv)) return pointwise(conv, dy);
  if (isBlockable(conv)) {
    const found = conv.window.stride[0] === 1 ? unstrided(conv, dy) : phases(conv, dy);
    if (found) return found;
  }
  return transposed(conv, dy);
}

/** Wᵀ dy; with a stride the pixels that were passed over get zero. */
function pointwise({ tape, w, window, batch, inChannels, outChannels }: Convolution, dy: Ref): Ref {
  const turned = tape.transpose(tape.reshape(w, [outChannels, inChannels]), [1, 0]);
  const pixels = window.out[0] * window.out[1];
  const rows = tape.reshape(dy, [batch, outChannels, pixels]);
  const product = tape.emit('MatMul', [turned, rows], [batch, inChannels, pixels]);
  const image = tape.reshape(product, [batch, inChannels, ...window.out]);
  return spread(tape, image, window.size, [0, 0], window.stride);
}

/** Weights as the gradient reads them, [I, O, kh, kw]; those of a depthwise convolution stay. */
const turned = (conv: Convolution): Ref => (isDepthwise(conv) ? conv.w : conv.tape.transpose(conv.w, [1, 0, 2, 3]));
const blocked = (conv: Convolution, w: Ref): Ref =>
  isDepthwise(conv) ? blockDepthwise(conv.tape, w) : blockWeights(conv.tape, w);

function unstrided(conv: Convolution, dy: Ref): Ref | null {
  const { tape, window, batch, inChannels, groups } = conv;
  const { kernel, dilation, pads, size } = window;
  const margin = pads.map((pad, at) => dilation[at % 2]! * (kernel[at % 2]! - 1) - pad);
  if (margin.some((pad) => pad < 0)) return null;
  const weights = blocked(conv, tape.flip(turned(conv)));
  const attributes = { kernel_shape: kernel, pads: margin, dilations: dilation, strides: [1, 1], group: groups };
  const dx = tape.emit('Conv', [toBlocked(tape, dy), weights], [batch, inChannels, ...size], attributes, BLOCKED);
  return fromBlocked(tape, dx, inChannels);
}

interface Phase {
  /** Taps of the kernel that reach this phase, descending. */
  readonly taps: number[];
  readonly begin: number;
  readonly end: number;
  readonly cells: number;
}

/** Along one axis: pixel 2u + offset takes tap k where k = (offset + pad) mod 2, from dy at u + (offset + pad - k) / 2. */
function phaseOf(size: number, out: number, kernel: number, pad: number, offset: number): Phase {
  const taps: number[] = [];
  for (let tap = (offset + pad) % 2; tap < kernel; tap += 2) taps.unshift(tap);
  const cells = Math.ceil(size / 2);
  const begin = -(offset + pad - (taps[0] ?? 0)) / 2;
  return { taps, begin, end: cells - out - begin + taps.length - 1, cells };
}

/** Stride 2 without dilation: four small convolutions, whose results are interleaved block by block. */
function phases(conv: Convolution, dy: Ref): Ref | null {
  const { tape, window, batch, inChannels, groups } = conv;
  const { stride, dilation, size, out, kernel, pads } = window;
  if (stride[0] !== 2 || dilation[0] !== 1) return null;
  const rows = [0, 1].map((offset) => phaseOf(size[0], out[0], kernel[0], pads[0], offset));
  const columns = [0, 1].map((offset) => phaseOf(size[1], out[1], kernel[1], pads[1], offset));
  if ([...rows, ...columns].some(({ taps, begin, end }) => taps.length === 0 || begin < 0 || end < 0)) return null;
  const weights = turned(conv);
  const [o, i] = tape.shape(weights) as [number, number];
  const given = toBlocked(tape, dy);
  const [down, right, { block }] = [rows[0]!.cells, columns[0]!.cells, tape];
  const lead = (batch * inChannels) / block;
  const lines = rows.map((row) => {
    const ofRow = tape.emit('Gather', [weights, tape.ints(row.taps)], [o, i, row.taps.length, kernel[1]], { axis: 2 });
    const cells = columns.map((column) => {
      const shape: [number, number] = [row.taps.length, column.taps.length];
      const part = tape.emit('Gather', [ofRow, tape.ints(column.taps)], [o, i, ...shape], { axis: 3 });
      const pads = [row.begin, column.begin, row.end, column.end];
      const attributes = { kernel_shape: shape, pads, group: groups };
      const dims = [batch, inChannels, down, right];
      const cell = tape.emit('Conv', [given, blocked(conv, part)], dims, attributes, BLOCKED);
      return tape.reshape(cell, [lead, down, 1, right, block]);
    });
    return tape.emit('Concat', cells, [lead, down, 1, right, 2 * block], { axis: 4 });
  });
  const all = tape.emit('Concat', lines, [lead, down, 2, right, 2 * block], { axis: 2 });
  const dx = fromBlocked(tape, tape.reshape(all, [batch, inChannels, 2 * down, 2 * right]), inChannels);
  return 2 * down === size[0] && 2 * right === size[1] ? dx : tape.slice(dx, [2, 3], [0, 0], size);
}

function transposed({ tape, w, window, batch, inChannels, groups }: Convolution, dy: Ref): Ref {
  const { kernel, stride, dilation, pads, size } = window;
  return tape.emit('ConvTranspose', [dy, w], [batch, inChannels, ...size], {
    ...{ kernel_shape: kernel, strides: stride, dilations: dilation, pads, group: groups },
    output_padding: outputPadding(window),
  });
}
