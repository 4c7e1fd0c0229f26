import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { findPreprocess } from '../data/preprocess.js';
import { OutputUnwritable } from '../errors.js';
import { readChecked } from '../inspect.js';
import { type Optimized, optimize, type Point } from '../recipe/optimize.js';
import { percent, times } from '../report/format.js';
import { rounded } from '../report/summary.js';
import { modelName } from './model-name.js';
import { positive, wholeNumber } from './numbers.js';
import { chooseProfile, profilesOption } from './quantize.js';
import { alignColumns, progressPrinter, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly profile?: string;
  readonly profiles: string[];
  readonly data: string;
  readonly preprocess?: string;
  readonly maxDrop: number;
  readonly latencyUs?: number;
  readonly sizeRatio?: number;
  readonly minutes: number;
  readonly seed: number;
  readonly json?: boolean;
}

export const optimizeCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('optimize')
    .description('Build every recipe for a profile, prove each, and keep the one that the budgets ask for.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <file>', 'the chosen build, .onnx')
    .requiredOption('--data <spec>', 'labelled samples; one in five judges, the others calibrate and train')
    .option('--profile <id>', 'hardware profile; by default the one that fits this machine')
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .option('--max-drop <points>', 'points of top-1 that may be lost', positive('--max-drop'), 1)
    .option('--latency-us <n>', 'latency that the build must keep to, p50', positive('--latency-us'))
    .option('--size-ratio <n>', 'how many times smaller the file must be', positive('--size-ratio'))
    .option('--minutes <n>', 'time that training may take', wholeNumber('--minutes', 0, 10_000), 30)
    .option('--seed <number>', 'seed of everything random', wholeNumber('--seed', 0, 2 ** 32 - 1), 1)
    .addOption(profilesOption())
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const profile = await chooseProfile(flags.profile, flags.profiles);
  const { record: preprocess } = await findPreprocess(model, await readChecked(model), flags.preprocess);
  const { maxDrop, latencyUs = null, sizeRatio = null, data, minutes, seed } = flags;
  const outDir = await mkdtemp(path.join(os.tmpdir(), 'espalier-'));
  const name = modelName(model);
  try {
    const found = await optimize({
      ...{ modelPath: model, modelName: name, profile, data, preprocess, minutes, seed, signal, outDir },
      budgets: { maxDrop, latencyUs, speedup: null, sizeRatio },
      onProgress: progressPrinter(terminal),
      onPoint: (point) => terminal.err(`${line(point).join('  ')}\n`),
    });
    await copyFile(path.join(found.folder, 'model.onnx'), flags.output).catch((error: NodeJS.ErrnoException) => {
      throw OutputUnwritable({ path: flags.output, why: error.code ?? String(error) }, { cause: error });
    });
    const json = { model: name, profile: profile.id, ...summaryOf(found), notes: found.report.notes };
    terminal.out(flags.json ? `${JSON.stringify(json)}\n` : describe(found, maxDrop));
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

const short = (value: number | null, digits: number): number | null => (value === null ? null : rounded(value, digits));

const figuresOf = ({ recipe, top1, drop, p50Us, speedup, sizeRatio }: Point) => ({
  ...{ recipe, top1: short(top1, 2), drop: short(drop, 2), p50Us, speedup: short(speedup, 3) },
  sizeRatio: rounded(sizeRatio, 3),
});

const summaryOf = ({ points, chosen, met, missed, proposals }: Optimized) => ({
  ...{ met, missed, proposals, chosen: figuresOf(chosen), front: points.map(figuresOf) },
});

const line = ({ recipe, top1, p50Us, speedup, sizeRatio }: Point): string[] => [
  ...[recipe, percent(top1), p50Us === null ? '-' : `${p50Us} us`, times(speedup), times(sizeRatio)],
];

function describe({ points, chosen, met, missed, proposals }: Optimized, maxDrop: number): string {
  const table = alignColumns([['RECIPE', 'TOP-1', 'P50', 'SPEED', 'SMALLER'], ...points.map(line)]);
  if (met) return `${table}Chosen: ${chosen.recipe}; it keeps to every budget.\n`;
  const smaller = proposals.map(({ kind, value, predictedUs }) => {
    const what = kind === 'width' ? `${value} of the width` : `${value} pixels a side`;
    return `A network of this family with ${what} would take about ${predictedUs.toFixed(0)} us.\n`;
  });
  const by = Object.entries(missed).map(([budget, amount]) =>
    budget === 'maxDrop'
      ? `${amount.toFixed(2)} points more than the ${maxDrop} that may be lost`
      : `${budget} by ${(100 * amount).toFixed(0)} %`,
  );
  return `${table}No build keeps to every budget. The nearest, ${chosen.recipe}, misses ${by.join(' and ')}.\n${smaller.join('')}`;
}
