import { stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { openDataset } from '../data/dataset.js';
import type { BatchOptions } from '../data/feeds.js';
import { findPreprocess, writePreprocess } from '../data/preprocess.js';
import { FlagInvalid, PruneDropExceeded } from '../errors.js';
import { readChecked } from '../inspect.js';
import { readTable } from '../latency/read-table.js';
import { writeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { alignmentOf } from '../prune/curves.js';
import { IMPORTANCES, type Importance, type OrderOptions } from '../prune/prunable.js';
import { type Pruned, prune } from '../prune/prune.js';
import { type Comparison, compare } from '../recipe/accuracy.js';
import { prepare } from '../recipe/prepare.js';
import {
  type Progressed,
  type ProgressiveOptions,
  pruneProgressively,
  type SteppedTarget,
} from '../recipe/progressive.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { Session } from '../runtime/session.js';
import { defaultWorkers } from '../train/default-workers.js';
import { loadRecipe } from '../train/load-recipe.js';
import { folded, trainable } from '../train/network.js';
import { train } from '../train/train.js';
import { modelName } from './model-name.js';
import { positive, wholeNumber } from './numbers.js';
import { describePruning, describeStep, summarizePruning } from './prune-report.js';
import { chooseProfile, profilesOption } from './quantize.js';
import { share } from './shares.js';
import { progressPrinter, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly ratio?: number;
  readonly macs?: number;
  readonly weights?: number;
  readonly latency?: number;
  readonly table?: string;
  readonly importance: Importance;
  readonly precision: 'int8' | 'float32';
  readonly profile?: string;
  readonly calibrate: string;
  readonly data?: string;
  readonly train: boolean;
  readonly recipe?: string;
  readonly evaluate?: string;
  readonly preprocess?: string;
  readonly tied?: boolean;
  readonly refit: boolean;
  readonly global?: boolean;
  readonly progressive?: boolean;
  readonly step: number;
  readonly maxDrop: number;
  readonly samples: number;
  readonly seed: number;
  readonly profiles: string[];
  readonly json?: boolean;
}

export const pruneCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('prune')
    .description('Remove channels from a float model, fit the rest to what it computed before, and train it.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <file>', 'the pruned float model')
    .addOption(new Option('--ratio <share>', 'share of the channels of every group to remove').argParser(share))
    .addOption(
      new Option('--macs <share>', 'share of the multiply-accumulates to keep; widths are chosen group by group')
        .argParser(share)
        .conflicts('ratio'),
    )
    .addOption(
      new Option('--weights <share>', 'share of the weights to keep, and so of the file')
        .argParser(share)
        .conflicts(['ratio', 'macs', 'latency']),
    )
    .addOption(
      new Option('--latency <share>', 'share of the latency to keep, by a table of `espalier profile-ops`')
        .argParser(share)
        .conflicts(['ratio', 'macs']),
    )
    .option('--table <file>', 'latency table of this model')
    .addOption(
      new Option('--importance <measure>', 'what decides which channels go first').choices(IMPORTANCES).default('obs'),
    )
    .option('--profile <id>', 'hardware profile whose channel alignment is kept; by default the one of this machine')
    .addOption(
      new Option('--precision <name>', 'in which it will run: kernels of each like other widths')
        .choices(['int8', 'float32'])
        .default('int8'),
    )
    .option('--calibrate <spec>', 'unlabelled samples to order and refit by', 'random:64')
    .option('--data <spec>', 'labelled samples: to train on afterwards, and for taylor')
    .option('--no-train', 'stop before the training')
    .option(
      '--recipe <name or file>',
      'how to train, by default distill, in steps tune; the teacher is the whole model',
    )
    .option('--evaluate <spec>', 'data to compare the two models on; take other samples than for calibration')
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .option('--tied', 'prune groups too that residual connections tie together')
    .option('--global', 'with --ratio: the share is of all channels, wherever they cost least, not of every group')
    .option('--progressive', 'in steps, with training after each; needs --data')
    .addOption(new Option('--step <share>', 'share that a step of --progressive removes').argParser(share).default(0.1))
    .option('--max-drop <points>', 'points that a step may lose before remedies are tried', positive('--max-drop'), 2)
    .option('--no-refit', 'only cut: shows what the refit is worth')
    .option('--samples <n>', 'samples to order and refit by', wholeNumber('--samples', 1, 1_000_000), 300)
    .option('--seed <number>', 'seed of random inputs and random importance', wholeNumber('--seed', 0, 2 ** 32 - 1), 1)
    .addOption(profilesOption())
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

async function targetOf({ ratio, global, macs, weights, latency, table }: Flags): Promise<SteppedTarget> {
  if (latency !== undefined) return { latency, table: await readTable(table) };
  if (weights !== undefined) return { weights };
  return macs === undefined ? { ratio: ratio ?? 0.3, global: global === true } : { macs };
}

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const profile = await chooseProfile(flags.profile, flags.profiles);
  const alignment = alignmentOf(profile.alignment, flags.precision === 'int8');
  const original = await readChecked(model);
  const { record } = await findPreprocess(model, original, flags.preprocess);
  if (record) writePreprocess(original, record);
  await probeModel(model, limitsOf(original));
  const session = await Session.open(model, model);
  try {
    // Taylor needs labels to have a loss.
    const data = await openDataset(flags.importance === 'taylor' && flags.data ? flags.data : flags.calibrate);
    const { seed, samples } = flags;
    const feeding = { inputs: session.inputs, preprocess: record, batchSize: 10, seed, limit: samples, signal };
    const print = progressPrinter(terminal);
    const isTrained = flags.train && flags.data !== undefined;
    // What is only cut keeps its norms: their statistics are what the training repairs first.
    const graph = flags.refit ? (await prepare(original, data, feeding)).graph : trainable(original);
    const options = {
      ...{ importance: flags.importance, target: await targetOf(flags), alignment, tied: flags.tied === true },
      ...{ refit: flags.refit, data, feeding, seed },
      onProgress: (fraction: number, message: string) =>
        print({ step: 'prune', stepIndex: 0, steps: isTrained ? 2 : 1, fraction, message }),
    };
    const progressed = flags.progressive ? await pruneInSteps(graph, options, flags, terminal) : null;
    const pruned = progressed?.pruned ?? (await prune(graph, options));
    const result =
      isTrained && !flags.progressive ? await trainPruned(pruned, original, flags, feeding, print) : pruned;
    const finished = { ...result, graph: folded(result.graph) };
    const files = await Promise.all((await writeModel(finished.graph, flags.output)).map((file) => stat(file)));
    const sizeBytes = files.reduce((sum, { size }) => sum + size, 0);
    const comparison = flags.evaluate ? await judge(session, flags.output, flags.evaluate, feeding) : null;
    const summary = {
      ...{ model: modelName(model), importance: flags.importance, refit: flags.refit, trained: isTrained, sizeBytes },
      ...summarizePruning(finished, comparison),
      ...(progressed && { steps: progressed.steps, removed: progressed.removed }),
    };
    terminal.out(flags.json ? `${JSON.stringify(summary)}\n` : describePruning(finished, comparison));
  } finally {
    await session.dispose();
  }
}

/** Step by step, each told as it ends. @throws ESP_PRUNE_DROP_EXCEEDED when not even the first step is kept */
async function pruneInSteps(
  graph: Graph,
  { data: calibration, ...options }: OrderOptions & Pick<ProgressiveOptions, 'target' | 'refit' | 'onProgress'>,
  { data, step, maxDrop, recipe }: Flags,
  { err }: Terminal,
): Promise<Progressed & { readonly pruned: Pruned }> {
  if (data === undefined) {
    throw FlagInvalid({ flag: '--progressive', value: 'without --data', wanted: 'labelled samples to train on' });
  }
  const progressed = await pruneProgressively(graph, {
    ...{ ...options, calibration, data: await openDataset(data), step, maxDrop },
    recipe: await loadRecipe(recipe ?? 'tune'),
    onStep: (taken) => err(describeStep(taken)),
  });
  const { pruned, steps } = progressed;
  const [last] = steps.slice(-1);
  if (!pruned) throw PruneDropExceeded({ removed: last!.removed, drop: last!.drop, maxDrop });
  if (!last!.isKept) err(`Stopped there: no remedy is left. The network before it is the result.\n`);
  return { ...progressed, pruned };
}

/** Trains what is left, with the whole model as the teacher. */
async function trainPruned(
  pruned: Pruned,
  teacher: Graph,
  flags: Flags,
  feeding: BatchOptions,
  print: ReturnType<typeof progressPrinter>,
): Promise<Pruned> {
  const { graph } = await train(pruned.graph, {
    ...{ data: await openDataset(flags.data!), input: feeding.inputs[0]!, preprocess: feeding.preprocess, teacher },
    ...{ recipe: await loadRecipe(flags.recipe ?? 'distill'), seed: flags.seed, workers: defaultWorkers() },
    signal: feeding.signal,
    onProgress: ({ share }) => print({ step: 'train', stepIndex: 1, steps: 2, fraction: share }),
  });
  return { ...pruned, graph };
}

async function judge(float: Session, file: string, spec: string, feeding: BatchOptions): Promise<Comparison> {
  const pruned = await Session.open(file, 'the pruned model');
  const { limit: _, ...all } = feeding;
  try {
    return await compare(float, pruned, await openDataset(spec), all);
  } finally {
    await pruned.dispose();
  }
}
