import type { Preprocess } from '@espalier/proto';
import { Command } from 'commander';
import { openDataset } from '../data/dataset.js';
import { firstFeeds } from '../data/feeds.js';
import { findPreprocess } from '../data/preprocess.js';
import { readChecked } from '../inspect.js';
import { compare } from '../recipe/accuracy.js';
import { measurePair } from '../recipe/latency.js';
import { percent, times } from '../report/format.js';
import { rounded } from '../report/summary.js';
import { defaultOptions, Session } from '../runtime/session.js';
import { modelName } from './model-name.js';
import { wholeNumber } from './numbers.js';
import { alignColumns, type Terminal } from './terminal.js';

interface Flags {
  readonly against?: string;
  readonly data: string;
  readonly preprocess?: string;
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
    .option('--batch <n>', 'samples a run, for accuracy', wholeNumber('--batch', 1, 4096), 8)
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

/** The record of the first model that has one. */
async function recordOf(models: readonly string[], given: string | undefined): Promise<Preprocess | null> {
  for (const model of models) {
    const { record } = await findPreprocess(model, await readChecked(model), given);
    if (record) return record;
  }
  return null;
}

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const reference = flags.against ?? model;
  const preprocess = await recordOf([model, reference], flags.preprocess);
  const data = await openDataset(flags.data);
  const float = await Session.open(reference, reference, defaultOptions);
  const variant = flags.against ? await Session.open(model, model, defaultOptions) : float;
  const feeding = { inputs: float.inputs, preprocess, batchSize: flags.batch, seed: 1, signal };
  terminal.err(`Running ${data.n} samples ...\n`);
  const found = await compare(float, variant, data, feeding);
  let speedup: number | null = null;
  let p50Us: number | null = null;
  const feeds = await firstFeeds(data, feeding, 1);
  if (feeds) {
    const latency = await measurePair(float, variant, feeds, signal);
    p50Us = flags.against ? latency.variant.p50Us : latency.float.p50Us;
    speedup = flags.against ? rounded(latency.float.p50Us / latency.variant.p50Us, 3) : null;
  }
  await Promise.all([...new Set([float, variant])].map((session) => session.dispose()));
  const { outputRange: _, sqnrDb, ...figures } = found;
  const result = {
    model: modelName(model),
    against: flags.against ? modelName(flags.against) : null,
    data: data.spec,
    ...figures,
    ...(flags.against ? {} : { top1Float: null, fixed: null, broken: null, mcnemarP: null, agreement: null }),
    sqnrDb: flags.against ? sqnrDb : null,
    p50Us,
    speedup,
  };
  terminal.out(flags.json ? `${JSON.stringify(result)}\n` : describe(result));
}

interface Result {
  readonly model: string;
  readonly against: string | null;
  readonly n: number;
  readonly top1: number | null;
  readonly top1Float: number | null;
  readonly fixed: number | null;
  readonly broken: number | null;
  readonly agreement: number | null;
  readonly p50Us: number | null;
  readonly speedup: number | null;
}

function describe(result: Result): string {
  const rows = [
    ['Samples', String(result.n)],
    ['Top-1', percent(result.top1)],
    ['Latency p50', `${result.p50Us} µs`],
  ];
  if (result.against) {
    rows.push([`Top-1 of ${result.against}`, percent(result.top1Float)]);
    rows.push(['Fixed, broken', `${result.fixed ?? '-'}, ${result.broken ?? '-'}`]);
    rows.push(['Agreement', percent(result.agreement)], ['Speed', times(result.speedup)]);
  }
  return `${result.model}\n${alignColumns(rows)}`;
}
