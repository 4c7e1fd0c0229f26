/** A model of the data pack, opened for training: float, with its data. */
import path from 'node:path';
import { readPreprocess } from '@espalier/compression';
import { openDataset } from '@espalier/compression/data/dataset';
import { readChecked } from '@espalier/compression/inspect';
import { encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { uniformWidths } from '@espalier/compression/prune/fit';
import { type Importance, orderPruning, type Prunable } from '@espalier/compression/prune/prunable';
import { pruneTo } from '@espalier/compression/prune/prune';
import { compare } from '@espalier/compression/recipe/accuracy';
import { prepare } from '@espalier/compression/recipe/prepare';
import { Session } from '@espalier/compression/runtime/session';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import { type Trained, train } from '@espalier/compression/train/train';
import type { Preprocess } from '@espalier/proto';
import { profile, SEED, teller } from './row.ts';

const WORKERS = 2;
/** Single channels: what the reference does, whatever the hardware likes. */
const UNALIGNED = { inputChannels: 1, outputChannels: 1, depthwiseChannels: 1 };

/** The first so many training images, or those of a range. */
export type Samples = number | { readonly from: number; readonly to: number };

export const cifarSpec = (data: string, samples: Samples): string => {
  const [first, more] = ['train_10k', 'train_20k_more'].map((name) => `${data}/cifar10/${name}.bin.gz`);
  const { from, to } = typeof samples === 'number' ? { from: 0, to: samples } : samples;
  return `cifar10:${to > 10_000 ? `${first},${more}` : first}?from=${from}&to=${to}`;
};

interface Opened {
  readonly data: string;
  readonly graph: Graph;
  readonly prepared: Graph;
  readonly session: Session;
  readonly preprocess: Preprocess;
}

export interface CutSpec {
  readonly importance: Importance;
  /** Share of the whole network's channels that is gone from every inner group afterwards. */
  readonly ratio: number;
  /** What is cut; by default the whole network. */
  readonly from?: Graph;
  readonly seed?: number;
}

export class Subject {
  private readonly opened: Opened;

  private constructor(opened: Opened) {
    this.opened = opened;
  }

  static async open(data: string, model: string): Promise<Subject> {
    const file = path.join(data, 'models', `${model}.onnx`);
    const graph = await readChecked(file);
    const session = await Session.open(file, model);
    const preprocess = await readPreprocess(path.join(data, 'preprocess', `${model}.json`));
    const feeding = { inputs: session.inputs, preprocess, batchSize: 10, seed: SEED };
    const { graph: prepared } = await prepare(graph, await openDataset(cifarSpec(data, 300)), feeding);
    return new Subject({ data, graph, prepared, session, preprocess });
  }

  get graph(): Graph {
    return this.opened.graph;
  }
  get prepared(): Graph {
    return this.opened.prepared;
  }

  get feeding() {
    const { session, preprocess } = this.opened;
    return { inputs: session.inputs, preprocess, batchSize: 10, seed: SEED };
  }

  /** The inner groups, ordered for pruning to the widths that the profile likes. */
  async ordered(importance: 'l1' | 'obs'): Promise<Prunable> {
    return orderPruning(this.prepared, {
      ...{ importance, alignment: profile.alignment, tied: false, seed: SEED },
      ...{ data: await openDataset(cifarSpec(this.opened.data, 300)), feeding: this.feeding },
    });
  }

  /** A share less of every inner group, in the order of a measure; the norms stay when nothing is refitted. */
  async cut({ importance, ratio, from, seed = SEED }: CutSpec): Promise<Graph> {
    const refit = importance === 'obs';
    const subject = await orderPruning(from ?? (refit ? this.prepared : this.graph), {
      ...{ importance, alignment: UNALIGNED, tied: false, seed },
      ...{ data: await openDataset(cifarSpec(this.opened.data, 300)), feeding: this.feeding },
    });
    return (await pruneTo(subject, { target: { widths: await this.widths(1 - ratio) }, refit })).graph;
  }

  /** Widths of every inner group of the whole network at a share that is kept. */
  private async widths(kept: number): Promise<Map<string, number>> {
    const whole = await orderPruning(this.graph, {
      ...{ importance: 'l2', alignment: UNALIGNED, tied: false, seed: SEED },
      ...{ data: await openDataset(cifarSpec(this.opened.data, 2)), feeding: this.feeding },
    });
    return uniformWidths(whole, kept);
  }

  async train(
    graph: Graph,
    recipe: object,
    samples: Samples,
    teacher: Graph | null = null,
    seed = SEED,
    workers = WORKERS,
  ): Promise<Trained> {
    return train(graph, {
      ...{ data: await openDataset(cifarSpec(this.opened.data, samples)), input: this.opened.session.inputs[0]! },
      ...{ preprocess: this.opened.preprocess, recipe: TrainRecipe.parse(recipe), teacher, seed, workers },
      onProgress: teller(),
    });
  }

  /** Top-1 on the evaluation part, in percent. */
  async top1(graph: Graph): Promise<{ top1: number; n: number }> {
    const session = await Session.open(encodeModel(graph), 'the trained network');
    const data = await openDataset(`cifar10:${this.opened.data}/cifar10/test_5k.bin.gz`);
    const { top1, n } = await compare(session, session, data, { ...this.feeding, batchSize: 50 });
    await session.dispose();
    return { top1: top1!, n };
  }

  close(): Promise<void> {
    return this.opened.session.dispose();
  }
}
