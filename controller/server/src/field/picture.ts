/** Model inputs as pictures again: the model's preprocessing, undone. */
import type { Pixels, Preprocess, SampleHeader } from '@espalier/proto';
import sharp from 'sharp';
import { numbersOf } from './fits-model.js';

/** Channels, height and width of a sample, where it is a picture; else null. Pure. */
function sides(shape: readonly number[], { layout }: Preprocess): [number, number, number] | null {
  if (shape.length !== 3) return null;
  const [a, b, c] = shape as [number, number, number];
  const [channels, height, width] = layout === 'NCHW' ? [a, b, c] : [c, a, b];
  return channels === 1 || channels === 3 ? [channels, height, width] : null;
}

/** Whether inputs of this shape are shown as pictures. Pure. */
export const isPicture = (shape: readonly number[], record: Preprocess | null): boolean =>
  record !== null && record.color !== null && record.affine === undefined && sides(shape, record) !== null;

/** q = (x * std + mean) / scale, rounded and cut to a byte: the inverse of `normalizeInto`. Pure. Null for no picture. */
export function pixelsOf(
  values: Uint8Array,
  { type, shape }: SampleHeader['input'],
  record: Preprocess,
): Pixels | null {
  const found = sides(shape, record);
  if (!found || !isPicture(shape, record)) return null;
  const [channels, height, width] = found;
  const numbers = numbersOf(type, values);
  const area = width * height;
  const data = new Uint8Array(area * channels);
  for (let channel = 0; channel < channels; channel++) {
    const target = record.color === 'BGR' ? channels - 1 - channel : channel;
    const [mean, std] = [record.mean[channel] ?? 0, record.std[channel] ?? 1];
    const [start, stride] = record.layout === 'NCHW' ? [channel * area, 1] : [channel, channels];
    for (let at = 0; at < area; at++) {
      const pixel = (Number(numbers[start + at * stride]) * std + mean) / record.scale;
      data[at * channels + target] = Math.min(255, Math.max(0, Math.round(pixel)));
    }
  }
  return { data, width, height, channels };
}

export function toPng({ data, width, height, channels }: Pixels): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: channels as 1 | 3 } })
    .png()
    .toBuffer();
}
