/** Training inside a recipe: a network that lost channels learns from what it was before. */
import { type Dataset, subset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import type { Graph } from '../onnx/graph.js';
import { defaultWorkers } from '../train/default-workers.js';
import type { TrainProgress } from '../train/progress.js';
import { TrainRecipe } from '../train/recipe.js';
import { type Trained, train } from '../train/train.js';

/** Fewer samples than this teach a network their own noise. */
export const TUNED_SAMPLES_MIN = 1000;
/** Forward, backward and the update of a step, in forward passes of the same samples: 3 to 3.5 were measured. */
export const STEP_IN_FORWARDS = 3.5;
/** Steps of an epoch that is timed; the one before it warms up. */
const TIMED_STEPS = 8;

const RATE = 0.01;

export interface Allowance {
  /** Samples of the training part. */
  readonly samples: number;
  /** Of training: see {@link paceOf}, or reckoned from a forward pass. */
  readonly secondsPerSample: number;
  readonly minutes: number;
}

/** Epochs that fit into the time, at most `most`; 0 when there is too little time or data. */
export function epochsWithin({ samples, secondsPerSample, minutes }: Allowance, most: number): number {
  if (samples < TUNED_SAMPLES_MIN) return 0;
  return Math.min(most, Math.floor((60 * minutes) / (samples * secondsPerSample)));
}

interface Learning {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
}

export interface TuneOptions extends Learning {
  readonly epochs: number;
  /** Peak of the learning rate; by default one for a network that lost little. */
  readonly rate?: number;
  /** @param loss of the last step; null before the first */
  readonly onProgress?: ((share: number, loss: number | null) => void) | undefined;
}

const batchFor = (samples: number): number => (samples >= 64 * 16 ? 64 : 32);

/** The schedule and rates that recovered most after a refit; the images are shifted as far as a tenth of their side. */
const recipeFor = (epochs: number, rate: number, samples: number): TrainRecipe =>
  TrainRecipe.parse({
    stages: [
      {
        ...{ name: 'distill', epochs, batch: batchFor(samples), optimizer: { rate } },
        ...{ augment: { flip: true, shift: 3 }, distill: { weight: 0.9 } },
      },
    ],
  });

/** Seconds that training takes for a sample, on this machine as it is now: steps as they will be, thrown away. */
export async function paceOf(student: Graph, teacher: Graph, { data, feeding }: Learning): Promise<number> {
  const few = Math.min(data.n, TIMED_STEPS * batchFor(data.n));
  const first = subset(
    data,
    Array.from({ length: few }, (_, at) => at),
  );
  const { history } = await learn(student, teacher, { data: first, feeding }, recipeFor(2, RATE, data.n));
  return history.at(-1)!.seconds / few;
}

/** @returns the student after distillation from the teacher @throws ESP_TRAINING_DIVERGED, ESP_GRADIENT_MISSING */
export async function tune(student: Graph, teacher: Graph, options: TuneOptions): Promise<Graph> {
  const { data, feeding, epochs, rate = RATE, onProgress } = options;
  const told = ({ share, loss }: TrainProgress): void => onProgress?.(share, loss);
  return (await learn(student, teacher, { data, feeding }, recipeFor(epochs, rate, data.n), told)).graph;
}

function learn(
  student: Graph,
  teacher: Graph,
  { data, feeding }: Learning,
  recipe: TrainRecipe,
  onProgress?: (progress: TrainProgress) => void,
): Promise<Trained> {
  return train(student, {
    ...{ data, teacher, input: feeding.inputs[0]!, preprocess: feeding.preprocess, seed: feeding.seed },
    ...{ recipe, workers: defaultWorkers(), signal: feeding.signal, onProgress },
  });
}
