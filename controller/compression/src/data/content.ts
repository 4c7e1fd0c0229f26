import type { Pixels } from '@espalier/proto';
import type { Scene } from '../detection/scene.js';

/** One record: an image, stored whole numbers, or ready inputs by name; `random` has nothing, it is drawn. */
export type Content =
  | { readonly kind: 'image'; readonly pixels: Pixels }
  | { readonly kind: 'stored'; readonly values: Int8Array }
  | {
      readonly kind: 'inputs';
      readonly inputs: Readonly<Record<string, Float32Array>>;
      /** Of one sample, by input, where they are known. */
      readonly shapes?: Readonly<Record<string, readonly number[]>>;
    }
  | { readonly kind: 'random' };

export interface Dataset {
  readonly spec: string;
  readonly n: number;
  readonly labelled: boolean;
  /** Number of classes: one more than the largest label; null without labels. */
  readonly classes: number | null;
  /** Shape of one sample as stored: [height, width, channels] of images. */
  readonly sampleShape: number[];
  /** One label a sample, in order; null without labels. */
  readonly labels: Int32Array | null;
  /** What a detector has to find in each image, in order; undefined for other data. */
  readonly scenes?: readonly Scene[];
  /** Numbers of the categories of the scenes, in rising order. */
  readonly categories?: readonly number[];
  /** Reads sample `at` of 0..n-1. */
  read(at: number): Promise<Content>;
}

export const classesOf = (labels: ArrayLike<number>): number =>
  Array.from(labels).reduce((most, label) => Math.max(most, label + 1), 0);

/** A data set of some samples of another, in this order. */
export const subset = (data: Dataset, samples: readonly number[]): Dataset => ({
  ...data,
  n: samples.length,
  labels: data.labels ? Int32Array.from(samples, (at) => data.labels![at]!) : null,
  ...(data.scenes ? { scenes: samples.map((at) => data.scenes![at]!) } : {}),
  read: (at) => data.read(samples[at]!),
});
