/** Mixed batches: each sample with the one at the mirrored place of the batch, its target in the same proportion. */
import type { Random } from './augment.js';

export interface MixedBatch {
  /** [N, C, H, W] */
  readonly x: Float32Array;
  /** [N, classes], each row a distribution. */
  readonly target: Float32Array;
  readonly size: number;
  readonly height: number;
  readonly width: number;
}

function blendTargets({ target, size }: MixedBatch, keep: number): void {
  const classes = target.length / size;
  for (let row = 0; row < Math.floor(size / 2); row++) {
    const [a, b] = [row * classes, (size - 1 - row) * classes];
    for (let at = 0; at < classes; at++) {
      const [one, other] = [target[a + at]!, target[b + at]!];
      target[a + at] = keep * one + (1 - keep) * other;
      target[b + at] = keep * other + (1 - keep) * one;
    }
  }
}

/** x = k x + (1 - k) x', in place, with k drawn evenly: Beta(1, 1) [Zhang et al. 2018]. */
export function mixUp(batch: MixedBatch, random: Random): void {
  const keep = random();
  const { x, size } = batch;
  const length = x.length / size;
  for (let row = 0; row < Math.floor(size / 2); row++) {
    const [a, b] = [row * length, (size - 1 - row) * length];
    for (let at = 0; at < length; at++) {
      const [one, other] = [x[a + at]!, x[b + at]!];
      x[a + at] = keep * one + (1 - keep) * other;
      x[b + at] = keep * other + (1 - keep) * one;
    }
  }
  blendTargets(batch, keep);
}

/** A rectangle of the other image is pasted in; targets go by area, which is drawn evenly [Yun et al. 2019]. */
export function cutMix(batch: MixedBatch, random: Random): void {
  const { x, size, height, width } = batch;
  const side = Math.sqrt(1 - random());
  const [tall, wide] = [Math.round(height * side), Math.round(width * side)];
  const top = Math.floor(random() * (height - tall + 1));
  const left = Math.floor(random() * (width - wide + 1));
  const length = x.length / size;
  for (let row = 0; row < Math.floor(size / 2); row++) {
    const [a, b] = [row * length, (size - 1 - row) * length];
    for (let plane = 0; plane < length; plane += height * width) {
      for (let y = top; y < top + tall; y++) {
        const from = plane + y * width + left;
        const held = x.slice(a + from, a + from + wide);
        x.copyWithin(a + from, b + from, b + from + wide);
        x.set(held, b + from);
      }
    }
  }
  blendTargets(batch, 1 - (tall * wide) / (height * width));
}
