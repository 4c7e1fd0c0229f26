/** A JPEG or PNG for a classification model: decoded, brought to the model's input as its manifest says, answered in labels. */
import { fitImage, type Manifest, normalizeInto, type Preprocess } from '@espalier/proto';
import { ImageRefused } from '../errors.js';
import { bytesOf, decodeValues, elementsOf, type RawTensors } from '../runtime/values.js';
import type { Served } from './serving.js';

/** The longest side of an image that is taken: a small file may hold a picture of many gigabytes. */
const LONGEST_SIDE = 16_384;
const LARGEST_PIXELS = 50_000_000;

/** The decoder is loaded with the first image: a device that serves tensors does not pay for it. */
async function decoder(): Promise<typeof import('sharp').default> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    throw ImageRefused({ cause: 'no image decoder is installed on this device' }, { cause: error });
  }
}

/** The preprocessing record of a model that takes images. @throws ESP_IMAGE_REFUSED */
function recordOf({ name, manifest }: Served): { record: Preprocess; manifest: Manifest } {
  const record = manifest?.preprocess;
  if (!manifest || !record?.color)
    throw ImageRefused({ cause: `the build of ${name} does not say how images become its input` });
  return { record, manifest };
}

/** The model's input made from an image. @throws ESP_IMAGE_REFUSED */
export async function inputFromImage(served: Served, image: Buffer): Promise<RawTensors> {
  const { record } = recordOf(served);
  const sharp = await decoder();
  try {
    const { data, info } = await sharp(image, { limitInputPixels: LARGEST_PIXELS, failOn: 'error' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (Math.max(info.width, info.height) > LONGEST_SIDE)
      throw new Error(`it is ${info.width} x ${info.height} pixels`);
    const pixels = fitImage({ data, width: info.width, height: info.height, channels: info.channels }, record);
    const { width, height, channels } = pixels;
    const shape = record.layout === 'NCHW' ? [1, channels, height, width] : [1, height, width, channels];
    const values = new Float32Array(elementsOf(shape));
    normalizeInto(pixels, record, values);
    return { [record.input]: { type: 'float32', shape, bytes: bytesOf(values) } };
  } catch (error) {
    throw ImageRefused({ cause: (error as Error).message }, { cause: error });
  }
}

export interface Classification {
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

/** Probabilities of the largest values: as they are where they are probabilities, else by softmax. */
function probabilities(values: readonly number[]): number[] {
  const sum = values.reduce((total, value) => total + value, 0);
  if (values.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3) return [...values];
  const largest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/** The classes of the first output, most likely first. */
export function classify({ manifest }: Served, outputs: RawTensors, top: number): Classification[] {
  const [first] = Object.values(outputs);
  const values = first ? Array.from(decodeValues(first.type, first.bytes), Number) : [];
  return probabilities(values)
    .map((score, index) => ({ index, label: manifest?.labels?.[index] ?? String(index), score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, top);
}
