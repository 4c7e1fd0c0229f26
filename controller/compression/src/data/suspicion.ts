/**
 * Data that goes in another way than the model was trained on costs accuracy and breaks nothing. From labelled images it
 * can be seen: when they are read in another order or range, more of them come out right.
 */
import type { Preprocess, TensorSpec } from '@espalier/proto';
import { argmax, mcnemar } from '../recipe/accuracy.js';
import type { Session } from '../runtime/session.js';
import { type Dataset, subset } from './content.js';
import { type BatchOptions, batches, plainPreprocess } from './feeds.js';

/** Another way to read the same images. */
export interface Reading {
  /** "colours in the order BGR" */
  readonly what: string;
  readonly record: Preprocess;
}

/** Samples of a first look; only what does not lose there is looked at further. */
const FIRST = 64;
const ALL = 256;
/** Chance below which a difference is none of the samples. */
const CHANCE_MAX = 0.01;
/** Points of accuracy that another reading must gain to be worth a word. */
const GAIN_MIN = 5;

const fits = (shape: readonly (number | string)[], wanted: readonly number[]): boolean =>
  shape.length === 3 && shape.every((dim, at) => typeof dim !== 'number' || dim === wanted[at]);

/**
 * The ways in which images are taken by mistake: colours turned round, 0..255 for 0..1, channels first for last.
 * @param sampleShape [height, width, channels] as stored
 */
export function otherReadings(record: Preprocess, input: TensorSpec, sampleShape: readonly number[]): Reading[] {
  const [height = 0, width = 0, channels = 0] = sampleShape;
  const found: Reading[] = [];
  if (channels === 3 && record.color !== 'GRAY') {
    const color = record.color === 'BGR' ? 'RGB' : 'BGR';
    found.push({ what: `colours in the order ${color}`, record: { ...record, color } });
  }
  const isShare = record.scale < 0.5;
  const range = { scale: isShare ? 1 : 1 / 255, mean: [], std: [] };
  found.push({ what: `values of 0..${isShare ? 255 : 1}`, record: { ...record, ...range } });
  const size = record.resize ?? { height, width };
  const depth = record.color === 'GRAY' ? 1 : channels;
  const layout = record.layout === 'NCHW' ? 'NHWC' : 'NCHW';
  const shape = layout === 'NCHW' ? [depth, size.height, size.width] : [size.height, size.width, depth];
  if (depth > 1 && fits(input.shape.slice(1), shape)) {
    found.push({ what: `channels ${layout === 'NCHW' ? 'first' : 'last'}`, record: { ...record, layout } });
  }
  return found;
}

/** Which samples a model gets right. */
async function rightOnes(model: Session, data: Dataset, feeding: BatchOptions): Promise<boolean[]> {
  const right: boolean[] = [];
  const output = model.outputs[0]!.name;
  for await (const batch of batches(data, feeding)) {
    const found = (await model.floats(batch.feeds))[output]!;
    const size = found.data.length / Math.max(1, found.dims[0] ?? 1);
    for (let row = 0; row < batch.size; row++) {
      right.push(argmax(found.data, row * size, size) === batch.labels![row]);
    }
  }
  return right;
}

const count = (list: readonly boolean[]): number => list.filter(Boolean).length;

/** Whether the other reading is surely the better one. */
export function isBetter(given: readonly boolean[], other: readonly boolean[]): boolean {
  const fixed = count(other.map((right, at) => right && !given[at]));
  const broken = count(given.map((right, at) => right && !other[at]));
  const points = (100 * (fixed - broken)) / Math.max(1, given.length);
  return points >= GAIN_MIN && mcnemar(fixed, broken) < CHANCE_MAX;
}

/** What is to be said of how labelled images are read: a sentence for each way that gives more right classes. */
export async function suspicions(model: Session, data: Dataset, feeding: BatchOptions): Promise<string[]> {
  const [input, ...others] = model.inputs;
  if (!data.labels || !input || others.length > 0 || (await data.read(0)).kind !== 'image') return [];
  const record = feeding.preprocess ?? plainPreprocess(input);
  const n = Math.min(data.n, ALL);
  const step = Math.max(1, Math.floor(data.n / n));
  const part = (from: number, to: number): Dataset =>
    subset(
      data,
      Array.from({ length: to - from }, (_, at) => (from + at) * step),
    );
  const look = async (one: Preprocess): Promise<[boolean[], () => Promise<boolean[]>]> => {
    const feed = { ...feeding, preprocess: one };
    const first = await rightOnes(model, part(0, Math.min(n, FIRST)), feed);
    return [first, async () => (n > FIRST ? [...first, ...(await rightOnes(model, part(FIRST, n), feed))] : first)];
  };
  const [given, restOfGiven] = await look(record);
  let all: boolean[] | null = null;
  const said: string[] = [];
  for (const { what, record: another } of otherReadings(record, input, data.sampleShape)) {
    const [first, rest] = await look(another);
    if (count(first) <= count(given)) continue;
    all ??= await restOfGiven();
    const other = await rest();
    if (!isBetter(all, other)) continue;
    const percent = (list: readonly boolean[]): string => ((100 * count(list)) / list.length).toFixed(1);
    said.push(
      `Check the preprocessing: with ${what} the float model gets ${percent(other)}% of ${n} samples right, as given ${percent(all)}%.`,
    );
  }
  return said;
}
