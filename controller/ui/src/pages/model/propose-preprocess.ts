import type { ModelView } from '@espalier/proto/api';

type Preprocess = NonNullable<ModelView['preprocess']>;

const isChannels = (size: number | string | undefined): size is 1 | 3 => size === 1 || size === 3;
const fixed = (size: number | string | undefined): number | null => (typeof size === 'number' ? size : null);

/**
 * A record for an image input, from its shape: [N,C,H,W] or [N,H,W,C] with 1 or 3 channels, scaled to 0..1, which is
 * what most exports expect. Null when no input looks like an image. A proposal only: the author of the model knows.
 */
export function proposePreprocess(inputs: ModelView['info']['inputs']): Preprocess | null {
  const image = inputs.find(({ shape }) => shape.length === 4 && (isChannels(shape[1]) || isChannels(shape[3])));
  if (!image) return null;
  const [, second, third, fourth] = image.shape;
  const layout = isChannels(second) ? 'NCHW' : 'NHWC';
  const [channels, height, width] = layout === 'NCHW' ? [second, third, fourth] : [fourth, second, third];
  const size = { height: fixed(height), width: fixed(width) };
  const each = (value: number): number[] => Array.from({ length: Number(channels) }, () => value);
  return {
    version: 1,
    input: image.name,
    layout,
    color: channels === 1 ? 'GRAY' : 'RGB',
    resize:
      size.height === null || size.width === null
        ? null
        : { width: size.width, height: size.height, mode: 'stretch', kernel: 'linear' },
    scale: 1 / 255,
    mean: each(0),
    std: each(1),
  };
}
