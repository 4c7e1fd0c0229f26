import { z } from 'zod';

/** How an image is brought to the model's size before the numbers are scaled. Kernels are sharp's names. */
export const Resize = z.object({
  width: z.int().positive(),
  height: z.int().positive(),
  mode: z.enum(['stretch', 'crop']),
  resizeShort: z.int().positive().optional(),
  kernel: z.enum(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3']),
});

/**
 * The preprocessing record, version 1: everything between a decoded image (or stored sample) and the model's input.
 * x' = (x * scale - mean[c]) / std[c]; with `affine`, x' = (q - zero) * scale instead.
 */
export const Preprocess = z.object({
  version: z.literal(1),
  input: z.string(),
  layout: z.enum(['NCHW', 'NHWC']),
  color: z.enum(['RGB', 'BGR', 'GRAY']).nullable(),
  resize: Resize.nullable(),
  scale: z.number(),
  mean: z.array(z.number()),
  std: z.array(z.number().refine((value) => value !== 0, 'std must not be 0')),
  affine: z.object({ zero: z.number(), scale: z.number() }).optional(),
});
export type Preprocess = z.infer<typeof Preprocess>;

/** Pixels as a decoder gives them: interleaved HWC, 8 bit, `channels` of 1 (grey) or 3 (RGB). */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/**
 * Writes one image as model input into `out` at `offset`. The image must already have the record's size.
 * The one implementation that agent, command line and calibration share.
 * @param out float32, at least `offset + width * height * channels` long
 */
export function normalizeInto(pixels: Pixels, record: Preprocess, out: Float32Array, offset = 0): void {
  const { data, width, height, channels } = pixels;
  const area = width * height;
  for (let channel = 0; channel < channels; channel++) {
    const source = record.color === 'BGR' ? channels - 1 - channel : channel;
    const mean = record.mean[channel] ?? 0;
    const std = record.std[channel] ?? 1;
    const target = record.layout === 'NCHW' ? offset + channel * area : offset + channel;
    const stride = record.layout === 'NCHW' ? 1 : channels;
    for (let at = 0; at < area; at++) {
      out[target + at * stride] = (data[at * channels + source]! * record.scale - mean) / std;
    }
  }
}

/** Writes stored int8 or uint8 values as model input: x' = (q - zero) * scale where the record has an affine part. */
export function dequantizeInto(values: ArrayLike<number>, record: Preprocess, out: Float32Array, offset = 0): void {
  const { zero, scale } = record.affine ?? { zero: 0, scale: record.scale };
  for (let at = 0; at < values.length; at++) out[offset + at] = (values[at]! - zero) * scale;
}
