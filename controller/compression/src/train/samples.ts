/** The training samples: all contents in memory as they are stored, and batches drawn from them. */
import type { Preprocess, TensorSpec } from '@espalier/proto';
import type { Content, Dataset } from '../data/content.js';
import { inputsOf } from '../data/feeds.js';
import { DataUnfit } from '../errors.js';
import { augmentImage, type Random } from './augment.js';
import { cutMix, mixUp } from './mix.js';
import type { Augmentation } from './recipe.js';

/** Where the numbers of one batch are written. */
export interface BatchBuffers {
  /** [N, ...] as the model takes it. */
  readonly x: Float32Array;
  /** [N, classes], each row a distribution. */
  readonly target: Float32Array;
}

export interface BatchDrawing {
  readonly augment: Augmentation | null;
  readonly labelSmoothing: number;
  readonly random: Random;
}

/** How samples come to the model: shapes are those of one batch. */
export interface SampleShape {
  readonly input: TensorSpec;
  readonly dims: readonly number[];
  readonly classes: number;
  readonly preprocess: Preprocess | null;
}

export class Samples {
  private constructor(
    private readonly data: Dataset,
    private readonly contents: readonly Content[],
    readonly labels: Int32Array,
    private readonly shape: SampleShape,
  ) {}

  get n(): number {
    return this.contents.length;
  }

  /** Reads all of a data set. @throws ESP_DATA_UNFIT without labels, or with one that the model has no class for */
  static async read(data: Dataset, shape: SampleShape): Promise<Samples> {
    const { input, classes } = shape;
    const unfit = (why: string) => DataUnfit({ spec: data.spec, input: input.name, why });
    if (!data.labels) throw unfit('training needs labels');
    const wrong = data.labels.findIndex((label) => label < 0 || label >= classes);
    if (wrong >= 0)
      throw unfit(`sample ${wrong} has label ${data.labels[wrong]}, and the model has ${classes} classes`);
    const contents: Content[] = [];
    for (let at = 0; at < data.n; at++) contents.push(await data.read(at));
    return new Samples(data, contents, data.labels, shape);
  }

  /** Classes of the model that no sample has. */
  missingClasses(): number[] {
    const seen = new Set(this.labels);
    return Array.from({ length: this.shape.classes }, (_, label) => label).filter((label) => !seen.has(label));
  }

  /**
   * Fills a batch with these samples, augmented and mixed. Targets are one class, smoothed.
   * @returns for each row whether the image was mirrored
   */
  fill(samples: ArrayLike<number>, into: BatchBuffers, { augment, labelSmoothing, random }: BatchDrawing): boolean[] {
    const { x, target } = into;
    const { classes, dims } = this.shape;
    target.fill(labelSmoothing / classes);
    const mirrored = Array.from(samples, (sample, row) => {
      target[row * classes + this.labels[sample]!]! += 1 - labelSmoothing;
      return this.write(sample, row, x, augment, random);
    });
    const choice = random();
    const { cutmix = 0, mixup = 0 } = augment ?? {};
    const [, , height = 1, width = 1] = dims;
    const batch = { x, target, size: samples.length, height, width };
    if (choice < cutmix && dims.length === 4) cutMix(batch, random);
    else if (choice < cutmix + mixup) mixUp(batch, random);
    return mirrored;
  }

  /** Writes one sample as a row of the batch; true when it was mirrored. */
  private write(sample: number, row: number, x: Float32Array, augment: Augmentation | null, random: Random): boolean {
    const stored = this.contents[sample]!;
    const { input, preprocess } = this.shape;
    let content = stored;
    let mirrored = false;
    if (stored.kind === 'image' && augment) {
      const changed = augmentImage(stored.pixels, augment, this.meanColour(stored.pixels.channels), random);
      content = { kind: 'image', pixels: changed.pixels };
      mirrored = changed.mirrored;
    }
    const values = inputsOf(this.data, content, sample, { inputs: [input], preprocess, seed: 0 })[input.name]!;
    x.set(values, row * values.length);
    return mirrored;
  }

  /** The colour that the model sees as zero. */
  private meanColour(channels: number): number[] {
    const { mean = [], scale = 1, color = null } = this.shape.preprocess ?? {};
    const order = color === 'BGR' ? [...mean].reverse() : mean;
    return Array.from({ length: channels }, (_, channel) => Math.round((order[channel] ?? 0) / scale));
  }
}
