/**
 * The code of one binary convolution: made for its sizes, so that every offset is a constant and the sum over window and
 * channels is one straight line. Four lanes are four filters; a word is 32 channels of one place.
 */
import { advance, assemble, type Code, I32, op, repeat, V128 } from './wasm.js';

/** Sizes of a dense convolution whose channels fill words and whose filters fill blocks. */
export interface BinaryShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filters: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number];
}

export const WORD = 32;
/** Filters that one pass over a window computes: four registers of four lanes. */
export const FILTER_BLOCK = 16;
const REGISTERS = 4;
const VECTOR_BYTES = 16;
/** A byte counts at most 8 bits a step: so many steps until it could run over. */
const STEPS_MAX = 31;

/** Where everything lies in the kernel's memory, in bytes. */
export interface Places {
  readonly input: number;
  readonly thresholds: number;
  readonly packed: number;
  readonly weights: number;
  readonly scales: number;
  readonly output: number;
  readonly end: number;
}

export interface Sizes {
  readonly out: readonly [number, number];
  /** Of the packed image with its border. */
  readonly padded: readonly [number, number];
  readonly words: number;
  /** Words of one window. */
  readonly steps: number;
  readonly places: Places;
}

export function sizesOf(shape: BinaryShape): Sizes {
  const { height, width, channels, filters, kernel, stride, pads } = shape;
  const padded = [height + pads[0] + pads[2], width + pads[1] + pads[3]] as const;
  const outOf = (axis: 0 | 1): number => Math.floor((padded[axis] - kernel[axis]) / stride[axis]) + 1;
  const out = [outOf(0), outOf(1)] as const;
  const words = channels / WORD;
  const steps = kernel[0] * kernel[1] * words;
  let end = 0;
  const take = (bytes: number): number => {
    const start = end;
    end += Math.ceil(bytes / VECTOR_BYTES) * VECTOR_BYTES;
    return start;
  };
  const places = {
    ...{ input: take(4 * height * width * channels), thresholds: take(4 * channels) },
    ...{ packed: take(4 * padded[0] * padded[1] * words), weights: take(4 * filters * steps) },
    ...{ scales: take(4 * filters), output: take(4 * out[0] * out[1] * filters) },
  };
  return { out, padded, words, steps, places: { ...places, end } };
}

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

/** Products of one window with sixteen filters: words at which they differ are counted. */
function windowCode(
  { kernel }: BinaryShape,
  { padded, words, steps }: Sizes,
  locals: Record<'x' | 'w' | 'bits' | 'bytes' | 'sums', number>,
): Code {
  const { x, w, bits, bytes, sums } = locals;
  const registers = [0, 1, 2, 3];
  const places = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => {
    const [down, right] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
    return Array.from({ length: words }, (_, word) => 4 * (words * (down * padded[1] + right) + word));
  }).flat();
  const code: Code[] = registers.map((at) => [...op.zero, ...op.set(sums + at)]);
  for (let start = 0; start < steps; start += STEPS_MAX) {
    code.push(...registers.map((at): Code => [...op.zero, ...op.set(bytes + at)]));
    for (const [at, place] of places.slice(start, start + STEPS_MAX).entries()) {
      code.push([...op.get(x), ...op.load32Splat(place), ...op.set(bits)]);
      for (const register of registers) {
        const weights = VECTOR_BYTES * (REGISTERS * (start + at) + register);
        code.push(
          ...[op.get(bytes + register), op.get(bits), op.get(w), op.load(weights), op.xor, op.i8x16Popcnt],
          ...[op.i8x16Add, op.set(bytes + register)],
        );
      }
    }
    for (const at of registers) {
      code.push(
        ...[op.get(sums + at), op.get(bytes + at), op.i16x8ExtaddPairwiseI8x16U, op.i32x4ExtaddPairwiseI16x8U],
        ...[op.i32x4Add, op.set(sums + at)],
      );
    }
  }
  return code.flat();
}

/** y = scale * (bits - 2 * differing), [height, width, filters]. */
function convolveBody(shape: BinaryShape, sizes: Sizes): Code {
  const { filters, stride, channels, kernel } = shape;
  const { places, padded, words, steps, out } = sizes;
  const [row, column, block, x, w, scale, y] = [0, 1, 2, 3, 4, 5, 6];
  const [bits, bytes, sums] = [7, 8, 12];
  const all = channels * kernel[0] * kernel[1];
  const written: Code = [0, 1, 2, 3].flatMap((at) => [
    ...op.get(y),
    ...[op.constant(all), op.i32x4Splat, op.get(sums + at), op.constant(1), op.i32x4Shl, op.i32x4Sub].flat(),
    ...[op.f32x4ConvertI32x4S, op.get(scale), op.load(VECTOR_BYTES * at), op.f32x4Mul].flat(),
    ...op.store(VECTOR_BYTES * at),
  ]);
  const perPixel = 4 * words * stride[1];
  return [
    ...[op.constant(places.packed), op.set(x), op.constant(places.output), op.set(y)].flat(),
    ...repeat(row, out[0], [
      ...repeat(column, out[1], [
        ...[op.constant(places.weights), op.set(w), op.constant(places.scales), op.set(scale)].flat(),
        ...repeat(block, filters / FILTER_BLOCK, [
          ...windowCode(shape, sizes, { x, w, bits, bytes, sums }),
          ...written,
          ...[
            advance(w, 4 * FILTER_BLOCK * steps),
            advance(scale, 4 * FILTER_BLOCK),
            advance(y, 4 * FILTER_BLOCK),
          ].flat(),
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
  const vectors = new Array<number>(1 + 2 * REGISTERS).fill(V128);
  return assemble([
    { name: 'pack', locals: [I32, I32, I32, I32], body: packBody(shape, sizes) },
    { name: 'convolve', locals: [...new Array<number>(7).fill(I32), ...vectors], body: convolveBody(shape, sizes) },
  ]);
}
