import sharp from 'sharp';
import { DataUnreadable } from '../errors.js';
import type { Content } from './content.js';
import { readData } from './file.js';
import type { DataSpec } from './spec.js';

/** An image file as interleaved 8-bit pixels, grey or RGB. Throws ESP_DATA_UNREADABLE. */
export async function readImage(spec: DataSpec, file: string): Promise<Extract<Content, { kind: 'image' }>> {
  const image = sharp(await readData(spec, file))
    .toColourspace('srgb')
    .removeAlpha();
  try {
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    return { kind: 'image', pixels: { data, width: info.width, height: info.height, channels: info.channels } };
  } catch (error) {
    throw DataUnreadable({ spec: spec.text, file, why: (error as Error).message }, { cause: error });
  }
}
