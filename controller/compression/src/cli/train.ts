import { Command } from 'commander';
import { openDataset } from '../data/dataset.js';
import { findPreprocess, writePreprocess } from '../data/preprocess.js';
import { readChecked } from '../inspect.js';
import { encodeModel, writeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { type Comparison, compare } from '../recipe/accuracy.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { Session } from '../runtime/session.js';
import type { EpochRecord } from '../train/checkpoint.js';
import { defaultWorkers } from '../train/default-workers.js';
import { loadRecipe } from '../train/load-recipe.js';
import type { TrainProgress } from '../train/progress.js';
import { type Trained, train } from '../train/train.js';
import { modelName } from './model-name.js';
import { wholeNumber } from './numbers.js';
import { alignColumns, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly data: string;
  readonly recipe: string;
  readonly teacher?: string;
  readonly evaluate?: string;
  readonly preprocess?: string;
  readonly checkpoint?: string;
  readonly simulate?: string;
  readonly workers: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** More workers than this only share the memory's speed. */
const WORKERS_MAX = 16;
const SEED_MAX = 2 ** 32 - 1;

export const trainCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('train')
    .description('Train a float model by a recipe: fine-tuning, distillation, quantization-aware training.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <file>', 'the trained float model')
    .requiredOption('--data <spec>', 'labelled samples to train on')
    .option(
      '--recipe <name or file>',
      'tune, distill, quantize-aware, progressive, xnor, or a file of your own',
      'tune',
    )
    .option('--teacher <model>', 'ONNX file to learn from; by default, where the recipe distils, the model itself')
    .option('--evaluate <spec>', 'data to compare before and after on; take other samples than for training')
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .option('--checkpoint <file>', 'kept after each epoch; the same command goes on from it')
    .option(
      '--simulate <file>',
      'after training with rounding or signs: the model that computes so, of standard operators',
    )
    .option('--workers <n>', 'threads', wholeNumber('--workers', 1, WORKERS_MAX), defaultWorkers())
    .option('--seed <number>', 'the same seed gives the same weights', wholeNumber('--seed', 0, SEED_MAX), 1)
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const recipe = await loadRecipe(flags.recipe);
  const original = await readChecked(model);
  const { record: preprocess } = await findPreprocess(model, original, flags.preprocess);
  if (preprocess) writePreprocess(original, preprocess);
  const { inputs } = await probeModel(model, limitsOf(original));
  const wantsTeacher = recipe.stages.some(({ distill }) => distill !== null);
  const teacher = flags.teacher ? await readChecked(flags.teacher) : original;
  const trained = await train(original, {
    ...{ data: await openDataset(flags.data), input: inputs[0]!, preprocess, recipe, signal },
    ...{ teacher: wantsTeacher ? teacher : null, seed: flags.seed, workers: flags.workers },
    checkpoint: flags.checkpoint ?? null,
    onProgress: printer(terminal),
    onEpoch: ({ stage, epoch, loss, seconds }) =>
      terminal.err(`${stage}, epoch ${epoch + 1}: loss ${loss.toFixed(4)}, ${seconds.toFixed(0)} s\n`),
  });
  await writeModel(trained.graph, flags.output);
  if (flags.simulate && trained.simulated) await writeModel(trained.simulated, flags.simulate);
  const judged = trained.simulated ?? trained.graph;
  const comparison = flags.evaluate ? await judge(original, judged, flags.evaluate, { preprocess, signal }) : null;
  const name = modelName(model);
  const result = { model: name, recipe: flags.recipe, seed: flags.seed, ...figuresOf(comparison), ...summary(trained) };
  terminal.out(flags.json ? `${JSON.stringify(result)}\n` : describe(trained.history, comparison, trained.notes));
}

/** Accuracy of the model before and after. */
async function judge(
  before: Graph,
  after: Graph,
  spec: string,
  options: { preprocess: Awaited<ReturnType<typeof findPreprocess>>['record']; signal: AbortSignal },
): Promise<Comparison> {
  const sessions = [
    await Session.open(encodeModel(before), 'the model'),
    await Session.open(encodeModel(after), 'the trained model'),
  ] as const;
  try {
    const feeding = { inputs: sessions[0].inputs, batchSize: 32, seed: 1, ...options };
    return await compare(sessions[0], sessions[1], await openDataset(spec), feeding);
  } finally {
    await Promise.all(sessions.map((session) => session.dispose()));
  }
}

const figuresOf = (comparison: Comparison | null) =>
  comparison && {
    ...{ n: comparison.n, top1Before: comparison.top1Float, top1: comparison.top1 },
    ...{ fixed: comparison.fixed, broken: comparison.broken },
  };

const summary = ({ history, notes }: Trained) => ({ history, notes });

const TELL_EVERY_MS = 2000;

/** One line that is written over on a terminal; elsewhere epochs are enough. */
function printer({ err, isInteractive }: Terminal): (progress: TrainProgress) => void {
  let told = 0;
  return ({ stage, epoch, epochs, share, loss, etaSeconds }) => {
    if (!isInteractive || performance.now() - told < TELL_EVERY_MS) return;
    told = performance.now();
    const left = etaSeconds === null ? '' : `, ${Math.ceil(etaSeconds)} s left`;
    const lossText = loss === null ? 'asking the teacher' : `loss ${loss.toFixed(3)}`;
    err(`\r\x1b[K${stage} ${epoch}/${epochs}, ${Math.round(100 * share)} %, ${lossText}${left}`);
  };
}

function describe(history: readonly EpochRecord[], comparison: Comparison | null, notes: readonly string[]): string {
  const rows = history.map(({ stage, epoch, loss, seconds }) => [
    ...[stage, String(epoch + 1), loss.toFixed(4), `${seconds.toFixed(1)} s`],
  ]);
  const lines = [...notes];
  if (comparison && comparison.top1 !== null) {
    const { n, top1Float, top1, fixed, broken } = comparison;
    lines.unshift(`Top-1 of ${n}: ${top1Float}% before, ${top1}% after; ${fixed} fixed, ${broken} broken`);
  }
  return `${alignColumns([['STAGE', 'EPOCH', 'LOSS', 'TIME'], ...rows])}${lines.map((line) => `${line}\n`).join('')}`;
}
