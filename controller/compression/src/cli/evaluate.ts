import type { Preprocess } from '@espalier/proto';
import { Command } from 'commander';
import { type Dataset, openDataset } from '../data/dataset.js';
import { type BatchOptions, firstFeeds } from '../data/feeds.js';
import { findPreprocess } from '../data/preprocess.js';
import { suspicions } from '../data/suspicion.js';
import { compareDetections } from '../detection/compare.js';
import { findDetection } from '../detection/declaration.js';
import { DetectionUndeclared } from '../errors.js';
import { readChecked } from '../inspect.js';
import type { Graph } from '../onnx/graph.js';
import { compare } from '../recipe/accuracy.js';
import { measurePair, speedupOf } from '../recipe/latency.js';
import { rounded } from '../report/summary.js';
import { defaultOptions, Session } from '../runtime/session.js';
import { describeEvaluation } from './evaluation-text.js';
import { modelName } from './model-name.js';
import { wholeNumber } from './numbers.js';
import type { Terminal } from './terminal.js';

interface Flags {
  readonly against?: string;
  readonly data: string;
  readonly preprocess?: string;
  readonly detection?: string;
  readonly batch: number;
  readonly json?: boolean;
}

export const evaluateCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('evaluate')
    .description('Accuracy and latency of a model, paired with another on the same samples.')
    .argument('<model>', 'ONNX file')
    .requiredOption('--data <spec>', 'data to run')
    .option('--against <model>', 'ONNX file to compare with, usually the float model')
    .option('--preprocess <file>', 'preprocessing record; by default that of either model')
    .option('--detection <file>', 'what the outputs of a detector mean; by default that of either model')
    .option('--batch <n>', 'samples a run, for accuracy', wholeNumber('--batch', 1, 4096), 8)
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

/** What the first of the models that has one says of itself. */
async function firstOf<Found>(
  models: readonly string[],
  find: (model: string, graph: Graph) => Promise<Found | null>,
): Promise<Found | null> {
  for (const model of models) {
    const found = await find(model, await readChecked(model));
    if (found) return found;
  }
  return null;
}

const preprocessOf = (models: readonly string[], given: string | undefined): Promise<Preprocess | null> =>
  firstOf(models, async (model, graph) => (await findPreprocess(model, graph, given)).record);

/** Throws ESP_DETECTION_UNDECLARED. */
async function detectionOf(models: readonly [string, string], { detection }: Flags, float: Session) {
  const found = await firstOf(models, (model, graph) => findDetection(model, graph, detection));
  if (found) return found;
  throw DetectionUndeclared({ model: models[0], outputs: float.outputs.map(({ name }) => name).join(', ') });
}

/** A pair of sessions on the same data. */
interface Pair {
  readonly float: Session;
  readonly variant: Session;
  readonly data: Dataset;
  readonly feeding: BatchOptions;
}

/** Milliseconds of the model, and how many times faster than the other it is, in one run. */
async function timesOf({ float, variant, data, feeding }: Pair, paired: boolean) {
  const feeds = await firstFeeds(data, feeding, 1);
  if (!feeds) return { p50Us: null, speedup: null };
  const latency = await measurePair(float, variant, feeds, feeding.signal);
  return {
    p50Us: paired ? latency.variant.p50Us : latency.float.p50Us,
    speedup: paired ? rounded(speedupOf(latency, defaultOptions), 3) : null,
  };
}

/** What the outputs come to: boxes where the data has boxes, else classes. */
async function figuresOf(pair: Pair, scenes: Dataset['scenes'], flags: Flags, models: readonly [string, string]) {
  const { float, variant, data, feeding } = pair;
  const alone = !flags.against;
  if (scenes) {
    const declared = await detectionOf(models, flags, float);
    const { n, ...found } = await compareDetections(float, variant, data, scenes, declared, feeding);
    return { ...NOTHING, n, detection: alone ? { variant: found.variant } : found };
  }
  const { outputRange: _, quality: __, ...found } = await compare(float, variant, data, feeding);
  if (!alone) return { ...found, detection: null };
  return { ...NOTHING, n: found.n, top1: found.top1, detection: null };
}

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const reference = flags.against ?? model;
  const preprocess = await preprocessOf([model, reference], flags.preprocess);
  const data = await openDataset(flags.data);
  const float = await Session.open(reference, reference, defaultOptions);
  const variant = flags.against ? await Session.open(model, model, defaultOptions) : float;
  try {
    const feeding = { inputs: float.inputs, preprocess, batchSize: flags.batch, seed: 1, signal };
    terminal.err(`Running ${data.n} samples ...\n`);
    const pair = { float, variant, data, feeding };
    const figures = await figuresOf(pair, data.scenes, flags, [model, reference]);
    const against = flags.against ? modelName(flags.against) : null;
    const times = await timesOf(pair, against !== null);
    const notes = await suspicions(float, data, feeding);
    const result = { model: modelName(model), against, data: data.spec, ...figures, ...times, notes };
    terminal.out(flags.json ? `${JSON.stringify(result)}\n` : describeEvaluation(result));
  } finally {
    await Promise.all([...new Set([float, variant])].map((session) => session.dispose()));
  }
}

/** A model alone has nothing to be paired with, and a detector no classes. */
const NOTHING = {
  ...{ top1Float: null, top1: null, fixed: null, broken: null },
  ...{ mcnemarP: null, agreement: null, sqnrDb: null },
};
