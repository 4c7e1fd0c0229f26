/** Trains a network by a recipe, stage by stage. */
import { createHash } from 'node:crypto';
import type { TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { firstFeeds } from '../data/feeds.js';
import { DataUnfit, TeacherUnfit } from '../errors.js';
import { cloneGraph, encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { runShapes } from '../runtime/run-shapes.js';
import { logitsOf } from './build.js';
import { type Checkpoint, type EpochRecord, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { simulated, withoutFakeQuantizers } from './fake-quant.js';
import { halfTimeRatio } from './half-speed.js';
import { probeBlock } from './layout.js';
import { enterStage, folded, prepareTraining, type TrainingData } from './network.js';
import { Progress, type TrainProgress } from './progress.js';
import type { TrainRecipe } from './recipe.js';
import { Samples } from './samples.js';
import { Stage, type StageContext } from './stage.js';
import { describeGuessing, standingOf } from './standing.js';
import { AskedLogits, canAskOnce } from './teacher.js';

const TEACHER_BATCH = 64;

export interface TrainOptions extends TrainingData {
  readonly recipe: TrainRecipe;
  readonly teacher: Graph | null;
  /** Parameters that stay as they are; by default the stages of the recipe say what learns. */
  readonly isFrozen?: (parameter: string) => boolean;
  /** Logits inside the network, returned beside its output, that learn the same: early exits. */
  readonly exits?: readonly string[];
  /** Threads that compute at once. */
  readonly workers: number;
  /** File that the training is kept in after each epoch, and gone on from. */
  readonly checkpoint?: string | null;
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  readonly onEpoch?: ((record: EpochRecord) => void) | undefined;
}

export interface Trained {
  readonly graph: Graph;
  /** With its weights and activations rounded, when the last stage trained so. */
  readonly simulated: Graph | null;
  readonly history: readonly EpochRecord[];
  readonly notes: readonly string[];
}

/**
 * Trains a copy of a float network.
 * @throws ESP_DATA_UNFIT, ESP_GRADIENT_MISSING, ESP_NOTHING_TRAINABLE, ESP_TEACHER_UNFIT, ESP_TRAINING_DIVERGED,
 * ESP_TRAINING_FAILED, and the signal's reason
 */
export async function train(original: Graph, options: TrainOptions): Promise<Trained> {
  const { recipe, data, input, preprocess, seed, signal, teacher, checkpoint } = options;
  const kept = checkpoint ? { file: checkpoint, key: keyOf(original, options) } : null;
  const found = kept && (await readCheckpoint(kept.file, kept.key));
  let graph = found ? cloneGraph(found.graph) : await prepareTraining(original, recipe, options);
  const block = await probeBlock();
  const dims = inputDims(input, TEACHER_BATCH);
  const shapesOf = await dimsReader(graph, options);
  const teacherShapes = teacher ? await dimsReader(teacher, options) : shapesOf;
  const classes = shapesOf(logitsOf(graph)).at(-1)!;
  const samples = await Samples.read(data, { input, dims, classes, preprocess });
  const notes = [
    ...notesOf(samples, recipe, data),
    ...(await standingNotes(original, options)),
    ...(await halfNotes(recipe)),
  ];
  const history: EpochRecord[] = [...(found?.history ?? [])];
  const progress = new Progress(recipe, options.onProgress);
  for (const [index, stage] of recipe.stages.entries()) {
    if (found && index < found.stage) continue;
    const resumed = found?.stage === index && found.epoch > 0 ? found : null;
    if (!resumed) graph = await enterStage(graph, stage, options);
    const asked =
      teacher && canAskOnce(stage)
        ? await AskedLogits.ask(
            teacher,
            samples,
            { dims, classes, mirror: stage.augment.flip, threads: options.workers },
            () => progress.tell(index, 0, 0, null),
            signal,
          )
        : null;
    const context: StageContext = {
      ...{ samples, asked, seed: seed + 1000 * index, block, signal, teacher },
      ...{ workers: options.workers, isFrozen: options.isFrozen, exits: options.exits },
      dimsOf: { student: shapesOf, teacher: teacherShapes },
      onStep: ({ epoch, step, steps, loss }) => progress.tell(index, epoch, (step + 1) / steps, loss),
      onEpoch: async (record, state) => {
        const whole = { ...record, stage: stage.name };
        history.push(whole);
        options.onEpoch?.(whole);
        if (!kept) return;
        const place = placeAfter(recipe, index, record.epoch);
        await keep(kept.file, { key: kept.key, graph, history, ...place, ...state }, notes);
      },
    };
    const { divergedAt } = await new Stage(graph, stage, context, resumed).run(resumed?.epoch ?? 0);
    if (divergedAt !== null) {
      notes.push(`The loss of ${stage.name} was no number from step ${divergedAt + 1} on; the epoch before was kept.`);
      break;
    }
  }
  const { quantize, binarize } = recipe.stages.at(-1)!;
  const rounded = quantize || binarize ? simulated(graph) : null;
  return { graph: folded(graph), simulated: rounded && (binarize ? folded(rounded) : rounded), history, notes };
}

/** Where to go on after an epoch. */
const placeAfter = ({ stages }: TrainRecipe, stage: number, epoch: number): Pick<Checkpoint, 'stage' | 'epoch'> =>
  epoch + 1 < stages[stage]!.epochs ? { stage, epoch: epoch + 1 } : { stage: stage + 1, epoch: 0 };

/** A full disk does not end a training: it goes on without the checkpoint, and says so. */
async function keep(file: string, checkpoint: Checkpoint, notes: string[]): Promise<void> {
  try {
    await writeCheckpoint(file, checkpoint);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const note = `A checkpoint could not be written to ${file} (${code}); the training went on without it.`;
    if (!notes.includes(note)) notes.push(note);
  }
}

/** The digest of all that the result depends on. */
function keyOf(graph: Graph, { recipe, data, seed, teacher, workers, exits }: TrainOptions): string {
  const hash = createHash('sha256').update(encodeModel(graph));
  if (teacher) hash.update(encodeModel(teacher));
  return hash.update(JSON.stringify({ recipe, data: data.spec, n: data.n, seed, workers, exits })).digest('hex');
}

const inputDims = ({ shape }: TensorSpec, batch: number): number[] => [
  batch,
  ...shape.slice(1).map((size) => (typeof size === 'number' ? size : 1)),
];

/** Shapes of all values, [1, ...], by one run. @throws ESP_DATA_UNFIT without a sample */
async function dimsReader(graph: Graph, options: TrainOptions): Promise<(value: string) => readonly number[]> {
  const { data, input, preprocess, seed } = options;
  const feeds = await firstFeeds(data, { inputs: [input], preprocess, batchSize: 1, seed }, 1);
  if (!feeds) throw DataUnfit({ spec: data.spec, input: input.name, why: 'it is empty' });
  // A checkpoint of a quantized stage has operators that only training knows.
  const shapes = await runShapes(withoutFakeQuantizers(graph), feeds);
  return (value) => {
    const dims = shapes.get(value);
    if (!dims) throw TeacherUnfit({ why: `there is no value ${value}` });
    return dims;
  };
}

/** A network that is cut may well guess, and is only told of; a teacher that guesses teaches nothing. */
async function standingNotes(
  graph: Graph,
  { teacher, data, input, preprocess, seed, signal }: TrainOptions,
): Promise<string[]> {
  const feeding = { inputs: [input], preprocess, batchSize: 20, seed, signal };
  const standing = await standingOf(teacher ?? graph, data, feeding);
  if (!standing.isGuessing) return [];
  if (teacher) throw TeacherUnfit({ why: describeGuessing(standing) });
  return [`Before training ${describeGuessing(standing)}.`];
}

/** Half precision is only what a graphics processor would see; whether this machine gains by it is measured, not supposed. */
async function halfNotes({ stages }: TrainRecipe): Promise<string[]> {
  if (stages.every(({ precision }) => precision === 'float32')) return [];
  const ratio = await halfTimeRatio();
  return [
    `float16 is simulated: values are rounded, the arithmetic stays float32. A convolution takes ${ratio.toFixed(2)} times as long in ` +
      `float16 as in float32 on this machine${ratio < 0.9 ? '' : ': training does not get faster by it'}.`,
  ];
}

function notesOf(samples: Samples, recipe: TrainRecipe, data: Dataset): string[] {
  const notes: string[] = [];
  const missing = samples.missingClasses();
  if (missing.length > 0) notes.push(`${data.spec} has no sample of class ${missing.join(', ')}.`);
  const largest = Math.max(...recipe.stages.map(({ batch }) => batch));
  if (samples.n < largest) notes.push(`${samples.n} samples fill no batch of ${largest}: they were repeated in it.`);
  return notes;
}
