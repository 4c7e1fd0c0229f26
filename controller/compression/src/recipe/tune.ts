/** Training inside a recipe: a network that lost channels learns from what it was before. */
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import { defaultWorkers } from '../train/default-workers.js';
import { TrainRecipe } from '../train/recipe.js';
import { train } from '../train/train.js';

/** Fewer samples than this teach a network their own noise. */
export const TUNED_SAMPLES_MIN = 1000;
/** A step of the student in forward passes of the same samples, with the backward pass and the update; the teacher's comes to it. */
const STUDENT_IN_FORWARDS = 2.5;
const TEACHER_IN_FORWARDS = 1;

const RATE = 0.01;

export interface Allowance {
  /** Samples of the training part. */
  readonly samples: number;
  /** Of a forward pass of the teacher, on one thread. */
  readonly secondsPerSample: number;
  /** Multiply-accumulates of the student in those of the teacher. */
  readonly share?: number;
  readonly minutes: number;
}

/** Epochs that fit into the time, at most `most`; 0 when there is too little time or data. */
export function epochsWithin({ samples, secondsPerSample, share = 1, minutes }: Allowance, most: number): number {
  if (samples < TUNED_SAMPLES_MIN) return 0;
  const epochSeconds = samples * secondsPerSample * (share * STUDENT_IN_FORWARDS + TEACHER_IN_FORWARDS);
  return Math.min(most, Math.floor((60 * minutes) / epochSeconds));
}

export interface TuneOptions {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  readonly epochs: number;
  /** Peak of the learning rate; by default one for a network that lost little. */
  readonly rate?: number;
  /** @param loss of the last step; null before the first */
  readonly onProgress?: ((share: number, loss: number | null) => void) | undefined;
}

/** The schedule and rates that recovered most after a refit; the images are shifted as far as a tenth of their side. */
const recipeFor = (epochs: number, rate: number, samples: number): TrainRecipe =>
  TrainRecipe.parse({
    stages: [
      {
        ...{ name: 'distill', epochs, batch: samples >= 64 * 16 ? 64 : 32, optimizer: { rate } },
        ...{ augment: { flip: true, shift: 3 }, distill: { weight: 0.9 } },
      },
    ],
  });

/** @returns the student after distillation from the teacher @throws ESP_TRAINING_DIVERGED, ESP_GRADIENT_MISSING */
export async function tune(student: Graph, teacher: Graph, options: TuneOptions): Promise<Graph> {
  const { data, feeding, epochs, rate = RATE, onProgress } = options;
  const { graph } = await train(student, {
    ...{ data, teacher, input: feeding.inputs[0]!, preprocess: feeding.preprocess, seed: feeding.seed },
    ...{ recipe: recipeFor(epochs, rate, data.n), workers: defaultWorkers() },
    ...{ signal: feeding.signal, onProgress: ({ share, loss }) => onProgress?.(share, loss) },
  });
  return graph;
}
