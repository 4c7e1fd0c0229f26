import type { Pixels, Preprocess } from './preprocess.js';
import { cropPixels, resizePixels } from './resize.js';

/** Grey from RGB with the weights of ITU-R BT.601, or RGB from grey by repeating it. */
export function recolour(pixels: Pixels, channels: number): Pixels {
  const { data, width, height } = pixels;
  if (pixels.channels === channels) return pixels;
  const out = new Uint8Array(width * height * channels);
  for (let at = 0; at < width * height; at++) {
    if (channels === 1) {
      out[at] = Math.round(0.299 * data[at * 3]! + 0.587 * data[at * 3 + 1]! + 0.114 * data[at * 3 + 2]!);
    } else out.fill(data[at]!, at * channels, (at + 1) * channels);
  }
  return { data: out, width, height, channels };
}

/** Brings an image to the size and number of channels the record names; without a record it stays as it is. */
export function fitImage(pixels: Pixels, record: Preprocess | null): Pixels {
  const coloured = record?.color ? recolour(pixels, record.color === 'GRAY' ? 1 : 3) : pixels;
  const resize = record?.resize;
  if (!resize) return coloured;
  const { width, height, kernel, mode } = resize;
  if (coloured.width === width && coloured.height === height) return coloured;
  if (mode === 'stretch') return resizePixels(coloured, width, height, kernel);
  // Short side first, then the middle: the usual evaluation crop.
  const short = resize.resizeShort ?? Math.min(width, height);
  const factor = short / Math.min(coloured.width, coloured.height);
  const wide = Math.max(width, Math.round(coloured.width * factor));
  const tall = Math.max(height, Math.round(coloured.height * factor));
  const scaled = resizePixels(coloured, wide, tall, kernel);
  return cropPixels(scaled, Math.floor((wide - width) / 2), Math.floor((tall - height) / 2), width, height);
}
