import type { Pixels, Preprocess } from './preprocess.js';

type Kernel = NonNullable<Preprocess['resize']>['kernel'];

interface Filter {
  /** Half width, in source pixels at scale 1. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const lanczos = (a: number): Filter => ({ support: a, weight: (x) => (Math.abs(x) < a ? sinc(x) * sinc(x / a) : 0) });

/** Piecewise cubics of Mitchell and Netravali 1988: (B, C) = (0, 1/2) is Catmull-Rom, (1/3, 1/3) is Mitchell. */
const cubic = (b: number, c: number): Filter => ({
  support: 2,
  weight(signed) {
    const x = Math.abs(signed);
    if (x < 1) return ((12 - 9 * b - 6 * c) * x ** 3 + (-18 + 12 * b + 6 * c) * x ** 2 + (6 - 2 * b)) / 6;
    if (x < 2) return ((-b - 6 * c) * x ** 3 + (6 * b + 30 * c) * x ** 2 + (-12 * b - 48 * c) * x + 8 * b + 24 * c) / 6;
    return 0;
  },
});

const FILTERS: Readonly<Record<Exclude<Kernel, 'nearest'>, Filter>> = {
  linear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  cubic: cubic(0, 0.5),
  mitchell: cubic(1 / 3, 1 / 3),
  lanczos2: lanczos(2),
  lanczos3: lanczos(3),
};

/** For each target pixel of a line: the first source pixel it reads, and the weights from there on. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: Float64Array[];
}

/**
 * Pixel centres lie at half coordinates, and the filter widens when the line shrinks, so that every source pixel
 * counts: the convolution of Pillow's resize. [Pillow, Resample.c]
 */
function tapsOf(from: number, to: number, kernel: Kernel): Taps {
  const ratio = from / to;
  const first = new Int32Array(to);
  const weights: Float64Array[] = [];
  for (let at = 0; at < to; at++) {
    const center = (at + 0.5) * ratio;
    if (kernel === 'nearest') {
      first[at] = Math.min(from - 1, Math.floor(center));
      weights.push(Float64Array.of(1));
      continue;
    }
    const { support, weight } = FILTERS[kernel];
    const scale = Math.max(1, ratio);
    const low = Math.max(0, Math.floor(center - support * scale + 0.5));
    const high = Math.min(from, Math.floor(center + support * scale + 0.5));
    const line = Float64Array.from({ length: high - low }, (_, tap) => weight((low + tap - center + 0.5) / scale));
    const sum = line.reduce((total, one) => total + one, 0);
    first[at] = low;
    weights.push(line.map((one) => one / sum));
  }
  return { first, weights };
}

/** One pass over lines of `channels` interleaved values; `step` and `lineStep` are strides in bytes. */
function convolve(
  source: Uint8Array,
  target: Uint8Array,
  taps: Taps,
  layout: { lines: number; lineStep: number; step: number; targetLineStep: number; targetStep: number; run: number },
): void {
  const { lines, lineStep, step, targetLineStep, targetStep, run } = layout;
  for (let line = 0; line < lines; line++) {
    for (let at = 0; at < taps.weights.length; at++) {
      const weights = taps.weights[at]!;
      const start = line * lineStep + taps.first[at]! * step;
      for (let within = 0; within < run; within++) {
        let sum = 0;
        for (let tap = 0; tap < weights.length; tap++) sum += source[start + tap * step + within]! * weights[tap]!;
        target[line * targetLineStep + at * targetStep + within] = Math.min(255, Math.max(0, Math.round(sum)));
      }
    }
  }
}

/** Resizes 8-bit pixels, first across, then down; the same bytes on every machine. */
export function resizePixels(pixels: Pixels, width: number, height: number, kernel: Kernel): Pixels {
  const { data, channels } = pixels;
  const across = new Uint8Array(width * pixels.height * channels);
  convolve(data, across, tapsOf(pixels.width, width, kernel), {
    lines: pixels.height,
    lineStep: pixels.width * channels,
    step: channels,
    targetLineStep: width * channels,
    targetStep: channels,
    run: channels,
  });
  const down = new Uint8Array(width * height * channels);
  convolve(across, down, tapsOf(pixels.height, height, kernel), {
    lines: 1,
    lineStep: 0,
    step: width * channels,
    targetLineStep: 0,
    targetStep: width * channels,
    run: width * channels,
  });
  return { data: down, width, height, channels };
}

/** The part of an image from (left, top). */
export function cropPixels(pixels: Pixels, left: number, top: number, width: number, height: number): Pixels {
  const { channels } = pixels;
  const data = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row++) {
    const start = ((top + row) * pixels.width + left) * channels;
    data.set(pixels.data.subarray(start, start + width * channels), row * width * channels);
  }
  return { data, width, height, channels };
}
