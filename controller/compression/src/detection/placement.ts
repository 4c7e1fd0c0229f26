import type { Preprocess } from '@espalier/proto';
import type { Placement } from './decode.js';
import type { Scene } from './scene.js';

/** Where an image that went through a preprocessing record lies in the stored image; the inverse of `fitImage`. */
export function placementOf({ width, height }: Pick<Scene, 'width' | 'height'>, record: Preprocess | null): Placement {
  const resize = record?.resize;
  if (!resize) return { scaleX: 1, scaleY: 1, left: 0, top: 0, width, height };
  const whole = { scaleX: width / resize.width, scaleY: height / resize.height, left: 0, top: 0 };
  const fed = { width: resize.width, height: resize.height };
  const same = width === resize.width && height === resize.height;
  if (resize.mode === 'stretch' || same) return { ...whole, ...fed };
  const factor = (resize.resizeShort ?? Math.min(resize.width, resize.height)) / Math.min(width, height);
  const [wide, tall] = [
    Math.max(resize.width, Math.round(width * factor)),
    Math.max(resize.height, Math.round(height * factor)),
  ];
  const [scaleX, scaleY] = [width / wide, height / tall];
  return {
    ...{ scaleX, scaleY, ...fed },
    left: Math.floor((wide - resize.width) / 2) * scaleX,
    top: Math.floor((tall - resize.height) / 2) * scaleY,
  };
}
