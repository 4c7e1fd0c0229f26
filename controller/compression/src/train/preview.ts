/** What a recipe makes of images, to look at: one self-contained page, light and dark. */
import type { Pixels } from '@espalier/proto';
import sharp from 'sharp';
import { randomFrom } from '../data/feeds.js';
import { augmentImage } from './augment.js';
import { cutMix, mixUp } from './mix.js';
import type { Augmentation, TrainRecipe } from './recipe.js';

export interface PreviewOptions {
  /** Versions of each image. */
  readonly versions: number;
  readonly seed: number;
}

const GREY = 128;
const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; background: light-dark(#fff, #16191d); color: light-dark(#1c2126, #e4e8ec); }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; } p { color: light-dark(#57606a, #9aa4ae); max-width: 60rem; }
.row { display: flex; gap: 6px; margin-bottom: 6px; } .stored { outline: 2px solid light-dark(#1a7f4b, #58c08a); }
img { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; background: light-dark(#eef0f2, #23282e); }`;

async function imageTag({ data, width, height, channels }: Pixels, kind: 'stored' | 'augmented' | 'mixed') {
  const raw = { width, height, channels: channels as 1 | 3 };
  const png = await sharp(data, { raw }).png().toBuffer();
  return `<img class="${kind}" alt="${kind}" src="data:image/png;base64,${png.toString('base64')}">`;
}

/** The original and its versions, side by side. */
async function rowOf(image: Pixels, augment: Augmentation, versions: number, random: () => number): Promise<string> {
  const fill = new Array<number>(image.channels).fill(GREY);
  const made = Array.from({ length: versions }, () => augmentImage(image, augment, fill, random).pixels);
  const tags = [await imageTag(image, 'stored')];
  for (const pixels of made) tags.push(await imageTag(pixels, 'augmented'));
  return `<div class="row">${tags.join('')}</div>`;
}

/** A batch mixed as training mixes it, in the stored images. All are of one size. */
async function mixedRow(images: readonly Pixels[], mix: typeof cutMix, random: () => number): Promise<string> {
  const { width, height, channels } = images[0]!;
  const plane = width * height;
  const x = new Float32Array(images.length * channels * plane);
  for (const [row, { data }] of images.entries()) {
    for (let at = 0; at < data.length; at++) {
      x[(row * channels + (at % channels)) * plane + Math.floor(at / channels)] = data[at]!;
    }
  }
  mix({ x, target: new Float32Array(images.length), size: images.length, height, width }, random);
  const tags = images.map((_, row) => {
    const data = new Uint8Array(channels * plane);
    for (let at = 0; at < data.length; at++) {
      data[at] = Math.round(x[(row * channels + (at % channels)) * plane + Math.floor(at / channels)]!);
    }
    return imageTag({ width, height, channels, data }, 'mixed');
  });
  return `<div class="row">${(await Promise.all(tags)).join('')}</div>`;
}

const settingsOf = (augment: Augmentation): string =>
  Object.entries(augment)
    .filter(([, value]) => value !== 0 && value !== false)
    .map(([name, value]) => (value === true ? name : `${name} ${value}`))
    .join(', ') || 'none';

/** One section a stage: its settings, images with their versions, and mixed batches where it mixes. */
export async function previewPage(
  images: readonly Pixels[],
  { stages }: TrainRecipe,
  { versions, seed }: PreviewOptions,
): Promise<string> {
  const random = randomFrom(seed);
  const sections: string[] = [];
  const isUniform = images.every(({ data }) => data.length === images[0]!.data.length);
  for (const { name, augment } of stages) {
    const rows: string[] = [];
    for (const image of images) rows.push(await rowOf(image, augment, versions, random));
    const mixes = [
      ['CutMix', augment.cutmix, cutMix],
      ['MixUp', augment.mixup, mixUp],
    ] as const;
    for (const [title, share, mix] of mixes) {
      if (share === 0 || !isUniform) continue;
      rows.push(
        `<p>${title}, on ${Math.round(100 * share)} % of the batches:</p>`,
        await mixedRow(images, mix, random),
      );
    }
    sections.push(`<h2>Stage ${name}</h2><p>${settingsOf(augment)}</p>${rows.join('\n')}`);
  }
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Augmented images</title><style>${STYLE}</style></head><body><h1>Augmented images</h1>
<p>Outlined: as it is stored. Seed ${seed}.</p>
${sections.join('\n')}
</body></html>
`;
}
