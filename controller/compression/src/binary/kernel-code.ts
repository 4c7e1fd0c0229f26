/**
 * The code of one binary convolution: made for its sizes, so that every offset is a constant and the sum over window and
 * channels is one straight line. A word is 32 channels of one place; a row of the window is one run of words, which is
 * read 64 bits at a time. Bits are packed with SIMD and counted by the scalar popcnt, of which a processor does several a
 * clock: on x86 V8 builds i8x16.popcnt from table look-ups, and the kernel with it took up to 2.4 times as long.
 */
import {
  type BinaryShape,
  FILTER_BLOCK,
  type Sizes,
  type Step,
  sizesOf,
  stepsOf,
  WORD,
  weightPlace,
} from './layout.js';
import { advance, assemble, type Code, I32, I64, op, repeat } from './wasm.js';

/** Sixteen channels from `at` as sixteen bits: 1 where the value is above its threshold. Locals 2 and 3 are bases. */
const sixteenBits = (at: number, thresholds: number, from: number): Code => {
  const four = (quarter: number): Code => {
    const offset = 4 * (at + 4 * quarter);
    return [...[op.get(from), op.load(offset), op.constant(thresholds), op.load(offset), op.f32x4Gt].flat()];
  };
  const eight = (half: number): Code => [...four(2 * half), ...four(2 * half + 1), ...op.i16x8NarrowI32x4S];
  return [...eight(0), ...eight(1), ...op.i8x16NarrowI16x8S, ...op.i8x16Bitmask];
};

/** Signs of an image [height, width, channels] into words, inside a border of zeros. */
function packBody({ height, width, channels, pads }: BinaryShape, { padded, words, places }: Sizes): Code {
  const [row, column, from, to] = [0, 1, 2, 3];
  const pixel: Code = Array.from(
    { length: words },
    (_, word): Code => [
      ...op.get(to),
      ...sixteenBits(WORD * word, places.thresholds, from),
      ...sixteenBits(WORD * word + 16, places.thresholds, from),
      ...[op.constant(16), op.i32Shl, op.i32Or, op.i32Store(4 * word)].flat(),
    ],
  ).flat();
  const start = places.packed + 4 * words * (pads[0] * padded[1] + pads[1]);
  return [
    ...[op.constant(places.input), op.set(from), op.constant(start), op.set(to)].flat(),
    ...repeat(row, height, [
      ...repeat(column, width, [...pixel, ...advance(from, 4 * channels), ...advance(to, 4 * words)]),
      ...advance(to, 4 * words * (pads[1] + pads[3])),
    ]),
  ];
}

/** Bits that differ between one window and each filter of a block, into the sums. */
function windowCode(steps: readonly Step[], { x, w, bits, sums }: Record<'x' | 'w' | 'bits' | 'sums', number>): Code {
  const filters = Array.from({ length: FILTER_BLOCK }, (_, filter) => filter);
  return [
    ...filters.flatMap((filter) => [...op.i64Zero, ...op.set(sums + filter)]),
    ...steps.flatMap((step): Code => {
      const load = step.words === 2 ? op.i64Load : op.i64Load32U;
      return [
        ...[op.get(x), load(step.offset), op.set(bits)].flat(),
        ...filters.flatMap(
          (filter): Code => [
            ...[op.get(sums + filter), op.get(bits), op.get(w), load(4 * weightPlace(step, filter))].flat(),
            ...[op.i64Xor, op.i64Popcnt, op.i64Add, op.set(sums + filter)].flat(),
          ],
        ),
      ];
    }),
  ];
}

/** y = scale * (bits - 2 * differing), [height, width, filters]. */
function convolveBody(shape: BinaryShape, sizes: Sizes): Code {
  const { filters, stride, channels, kernel } = shape;
  const { places, padded, words, windowWords, out } = sizes;
  const [row, column, block, x, w, scale, y, bits, sums] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const all = channels * kernel[0] * kernel[1];
  const written = Array.from(
    { length: FILTER_BLOCK },
    (_, filter): Code => [
      ...[
        op.get(y),
        op.constant(all),
        op.get(sums + filter),
        op.i32WrapI64,
        op.constant(1),
        op.i32Shl,
        op.i32Sub,
      ].flat(),
      ...[op.f32ConvertI32S, op.get(scale), op.f32Load(4 * filter), op.f32Mul, op.f32Store(4 * filter)].flat(),
    ],
  ).flat();
  const perPixel = 4 * words * stride[1];
  return [
    ...[op.constant(places.packed), op.set(x), op.constant(places.output), op.set(y)].flat(),
    ...repeat(row, out[0], [
      ...repeat(column, out[1], [
        ...[op.constant(places.weights), op.set(w), op.constant(places.scales), op.set(scale)].flat(),
        ...repeat(block, filters / FILTER_BLOCK, [
          ...windowCode(stepsOf(shape, sizes), { x, w, bits, sums }),
          ...written,
          ...advance(w, 4 * FILTER_BLOCK * windowWords),
          ...[advance(scale, 4 * FILTER_BLOCK), advance(y, 4 * FILTER_BLOCK)].flat(),
        ]),
        ...advance(x, perPixel),
      ]),
      ...advance(x, 4 * words * padded[1] * stride[0] - perPixel * out[1]),
    ]),
  ];
}

/** The module of a layer: `pack` and `convolve`. */
export function kernelModule(shape: BinaryShape): Uint8Array<ArrayBuffer> {
  const sizes = sizesOf(shape);
  const locals = (integers: number, longs: number): number[] => [
    ...new Array<number>(integers).fill(I32),
    ...new Array<number>(longs).fill(I64),
  ];
  return assemble([
    { name: 'pack', locals: locals(4, 0), body: packBody(shape, sizes) },
    { name: 'convolve', locals: locals(7, 1 + FILTER_BLOCK), body: convolveBody(shape, sizes) },
  ]);
}
