/** Sizes of a binary convolution, and where its numbers lie in the kernel's memory. Pure. */

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
/** Filters that one pass over a window computes: as many sums stay in registers. */
export const FILTER_BLOCK = 8;
const ALIGNMENT = 16;

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
  readonly windowWords: number;
  readonly places: Places;
}

export function sizesOf(shape: BinaryShape): Sizes {
  const { height, width, channels, filters, kernel, stride, pads } = shape;
  const padded = [height + pads[0] + pads[2], width + pads[1] + pads[3]] as const;
  const outOf = (axis: 0 | 1): number => Math.floor((padded[axis] - kernel[axis]) / stride[axis]) + 1;
  const out = [outOf(0), outOf(1)] as const;
  const words = channels / WORD;
  const windowWords = kernel[0] * kernel[1] * words;
  let end = 0;
  const take = (bytes: number): number => {
    const start = end;
    end += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return start;
  };
  const places = {
    ...{ input: take(4 * height * width * channels), thresholds: take(4 * channels) },
    ...{ packed: take(4 * padded[0] * padded[1] * words), weights: take(4 * filters * windowWords) },
    ...{ scales: take(4 * filters), output: take(4 * out[0] * out[1] * filters) },
  };
  return { out, padded, words, windowWords, places: { ...places, end } };
}

/** One read of the window: 64 bits, or the last 32 of a row. */
export interface Step {
  /** Word of the window, row by row. */
  readonly word: number;
  readonly words: 1 | 2;
  /** Bytes from the window's first word to this one in the packed image. */
  readonly offset: number;
}

export function stepsOf({ kernel }: BinaryShape, { padded, words }: Sizes): Step[] {
  const run = kernel[1] * words;
  return Array.from({ length: kernel[0] }, (_, row) =>
    Array.from({ length: Math.ceil(run / 2) }, (_, at): Step => {
      const offset = 4 * (row * padded[1] * words + 2 * at);
      return { word: row * run + 2 * at, words: 2 * at + 1 < run ? 2 : 1, offset };
    }),
  ).flat();
}

/** Where a step's words of a filter lie, in words from the block's first: a step's filters stand side by side. */
export const weightPlace = ({ word, words }: Step, filter: number): number => word * FILTER_BLOCK + filter * words;
