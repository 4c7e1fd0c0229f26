/** Random changes of stored images, before they are brought to the model's size. Pure: the random numbers come in. */
import type { Pixels } from '@espalier/proto';
import type { Augmentation } from './recipe.js';

export type Random = () => number;

/** Between -most and most. */
const either = (random: Random, most: number): number => (2 * random() - 1) * most;

/** True where the image's geometry is moved by more than whole pixels. */
const isWarped = ({ scale, rotate }: Augmentation): boolean => scale > 0 || rotate > 0;
const isRecoloured = ({ brightness, contrast, hue, saturation }: Augmentation): boolean =>
  brightness > 0 || contrast > 0 || hue > 0 || saturation > 0;

/**
 * One image changed as the recipe says. What comes in from outside has the colour `fill`.
 * @returns the new image, and whether it was mirrored
 */
export function augmentImage(
  pixels: Pixels,
  recipe: Augmentation,
  fill: readonly number[],
  random: Random,
): { pixels: Pixels; mirrored: boolean } {
  const mirrored = recipe.flip && random() < 0.5;
  const moves = [either(random, recipe.shift), either(random, recipe.shift)].map(Math.round) as [number, number];
  let out = pixels;
  if (isWarped(recipe)) {
    const scale = 1 + either(random, recipe.scale);
    const angle = (either(random, recipe.rotate) * Math.PI) / 180;
    out = warp(out, mirrored, moves, scale, angle, fill);
  } else if (mirrored || moves[0] !== 0 || moves[1] !== 0) out = move(out, mirrored, moves, fill);
  if (isRecoloured(recipe)) out = recolour(out, recipe, random);
  return { pixels: out, mirrored };
}

function move(pixels: Pixels, mirrored: boolean, [right, down]: readonly [number, number], fill: readonly number[]) {
  const { data, width, height, channels } = pixels;
  const out = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y - down;
    for (let x = 0; x < width; x++) {
      const moved = x - right;
      const inside = row >= 0 && row < height && moved >= 0 && moved < width;
      const from = (row * width + (mirrored ? width - 1 - moved : moved)) * channels;
      for (let c = 0; c < channels; c++) out[to++] = inside ? data[from + c]! : fill[c]!;
    }
  }
  return { data: out, width, height, channels };
}

/** Turned and scaled about its middle, read between pixels by bilinear weights. */
function warp(
  pixels: Pixels,
  mirrored: boolean,
  [right, down]: readonly [number, number],
  scale: number,
  angle: number,
  fill: readonly number[],
): Pixels {
  const { data, width, height, channels } = pixels;
  const out = new Uint8Array(data.length);
  const [cos, sin] = [Math.cos(angle) / scale, Math.sin(angle) / scale];
  const [midX, midY] = [(width - 1) / 2, (height - 1) / 2];
  const at = (x: number, y: number, c: number): number =>
    x >= 0 && y >= 0 && x < width && y < height ? data[(y * width + x) * channels + c]! : fill[c]!;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [x - midX - right, y - midY - down];
      const turned = cos * dx + sin * dy;
      const sourceX = midX + (mirrored ? -turned : turned);
      const sourceY = midY - sin * dx + cos * dy;
      const [left, top] = [Math.floor(sourceX), Math.floor(sourceY)];
      const [wx, wy] = [sourceX - left, sourceY - top];
      for (let c = 0; c < channels; c++) {
        const upper = at(left, top, c) * (1 - wx) + at(left + 1, top, c) * wx;
        const lower = at(left, top + 1, c) * (1 - wx) + at(left + 1, top + 1, c) * wx;
        out[to++] = Math.round(upper * (1 - wy) + lower * wy);
      }
    }
  }
  return { data: out, width, height, channels };
}

/**
 * Brightness and contrast as factors; hue as a turn about the grey axis and saturation as a factor of the distance from
 * it, in the YIQ space, where both are linear.
 */
function recolour(pixels: Pixels, recipe: Augmentation, random: Random): Pixels {
  const { data, width, height, channels } = pixels;
  const brightness = 1 + either(random, recipe.brightness);
  const contrast = 1 + either(random, recipe.contrast);
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  const shade = (value: number): number => Math.min(255, Math.max(0, ((value - mean) * contrast + mean) * brightness));
  const out = new Uint8Array(data.length);
  const [hue, saturation] = [(either(random, recipe.hue) * Math.PI) / 180, 1 + either(random, recipe.saturation)];
  const isColour = channels === 3 && (hue !== 0 || saturation !== 1);
  const [cos, sin] = [saturation * Math.cos(hue), saturation * Math.sin(hue)];
  for (let at = 0; at < data.length; at += channels) {
    if (!isColour) {
      for (let c = 0; c < channels; c++) out[at + c] = Math.round(shade(data[at + c]!));
      continue;
    }
    const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
    const y = 0.299 * r + 0.587 * g + 0.114 * b;
    const i = 0.596 * r - 0.274 * g - 0.322 * b;
    const q = 0.211 * r - 0.523 * g + 0.312 * b;
    const [turnedI, turnedQ] = [cos * i - sin * q, sin * i + cos * q];
    out[at] = Math.round(shade(y + 0.956 * turnedI + 0.621 * turnedQ));
    out[at + 1] = Math.round(shade(y - 0.272 * turnedI - 0.647 * turnedQ));
    out[at + 2] = Math.round(shade(y - 1.106 * turnedI + 1.703 * turnedQ));
  }
  return { data: out, width, height, channels };
}
