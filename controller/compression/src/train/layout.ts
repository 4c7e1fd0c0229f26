/**
 * ONNX Runtime's blocked layout: [N, C/B, H, W, B] in memory, under the plain shape [N, C, H, W]. Its fast convolution
 * takes it, and is otherwise used for constant weights alone; written into the graph directly it serves weights that
 * change too (domain com.microsoft.nchwc; onnxruntime/core/optimizer/nchwc_transformer.cc).
 */
import { Tensor } from 'onnxruntime-node';
import { encodeModel } from '../onnx/codec.js';
import { Session } from '../runtime/session.js';
import { graphOf } from './graph-of.js';
import { type Ref, Tape } from './tape.js';

export const BLOCKED = 'com.microsoft.nchwc';
const PROBE_CHANNELS = 16;

/**
 * Channels in a block on this machine: 16 with AVX-512 and NEON, 8 with AVX2, 1 where there is no blocked layout. A ramp
 * is reordered, and where its second value lands is the size of a block.
 */
export async function probeBlock(): Promise<number> {
  const tape = new Tape(1);
  const dims = [1, PROBE_CHANNELS, 1, 2];
  const x = tape.declare('x', dims);
  const y = tape.emit('ReorderInput', [x], dims, {}, BLOCKED);
  const ramp = Float32Array.from({ length: 2 * PROBE_CHANNELS }, (_, at) => at);
  try {
    const session = await Session.open(encodeModel(graphOf(tape, [x], { y })), 'the layout probe');
    const found = await session.floats({ x: new Tensor('float32', ramp, dims) });
    await session.dispose();
    return Math.max(1, found.y!.data.indexOf(1));
  } catch {
    return 1;
  }
}

/** [N, C, H, W] into blocks; each value is reordered once, whoever reads it. */
export const toBlocked = (tape: Tape, x: Ref): Ref =>
  tape.once(`blocked ${x}`, () => tape.emit('ReorderInput', [x], tape.shape(x), {}, BLOCKED));

export const fromBlocked = (tape: Tape, x: Ref, channels: number): Ref =>
  tape.emit('ReorderOutput', [x], tape.shape(x), { channels }, BLOCKED);

/** Weights [O, I, kh, kw] as the blocked convolution reads them: [O/B, I/B, kh, kw, B of I, B of O]. */
export function blockWeights(tape: Tape, w: Ref): Ref {
  const [o, i, kh, kw] = tape.shape(w) as [number, number, number, number];
  const { block } = tape;
  const split = tape.reshape(w, [o / block, block, i / block, block, kh, kw]);
  return tape.reshape(tape.transpose(split, [0, 2, 4, 5, 3, 1]), [o, i, kh, kw]);
}

/** Weights [C, 1, kh, kw] of a depthwise convolution: [C/B, kh, kw, B]. */
export function blockDepthwise(tape: Tape, w: Ref): Ref {
  const [c, , kh, kw] = tape.shape(w) as [number, number, number, number];
  const split = tape.reshape(w, [c / tape.block, tape.block, kh, kw]);
  return tape.reshape(tape.transpose(split, [0, 2, 3, 1]), [c, 1, kh, kw]);
}

/**
 * Puts the elements of [N, C, h, w] `stride` apart, zeros between, and pads or crops them to [N, C, height, width] so
 * that the first lies at `top`, `left`. Where channels fill blocks whole blocks move, which is five times faster.
 */
export function spread(
  tape: Tape,
  x: Ref,
  [height, width]: readonly [number, number],
  [top, left]: readonly [number, number],
  [down, right]: readonly [number, number],
): Ref {
  const [n, c, h, w] = tape.shape(x) as [number, number, number, number];
  const { block } = tape;
  let wide = x;
  if (down > 1 || right > 1) {
    const blocks = block > 1 && c % block === 0;
    const lane = blocks ? block : 1;
    const rows = tape.reshape(blocks ? toBlocked(tape, x) : x, [(n * c) / lane, h, 1, w, lane]);
    const padded = tape.pad(rows, [0, 0, 0, 0, 0], [0, 0, down - 1, 0, (right - 1) * lane]);
    const flat = tape.reshape(padded, [n, c, h * down, w * right]);
    wide = blocks ? fromBlocked(tape, flat, c) : flat;
  }
  return tape.pad(wide, [0, 0, top, left], [0, 0, height - top - h * down, width - left - w * right]);
}
