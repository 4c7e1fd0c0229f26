import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Recipe, type Report } from '@espalier/proto';
import { Command, Option } from 'commander';
import { findPreprocess } from '../data/preprocess.js';
import { findDetection } from '../detection/declaration.js';
import { FlagInvalid, OutputUnwritable, ProfileUnmatched } from '../errors.js';
import { loadProfiles, profileById } from '../hardware/load.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { matchProfile } from '../hardware/match.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { readChecked } from '../inspect.js';
import { isOffered } from '../precision/index.js';
import { METHODS, type Method } from '../quantize/observer.js';
import { buildVariant } from '../recipe/build.js';
import { BUILD_OPTIONS, buildOptionsFor } from '../recipe/device.js';
import type { BuiltVariant, OutputFormat } from '../recipe/options.js';
import { writeArtifact } from '../recipe/write.js';
import { comparisonRows, findings } from '../report/format.js';
import { reportPage } from '../report/html.js';
import { summarize } from '../report/summary.js';
import type { Budgets } from '../search/budgets.js';
import { PRECISIONS, type Precision } from '../search/points.js';
import { modelName } from './model-name.js';
import { positive, wholeNumber } from './numbers.js';
import { pointPrinter } from './points.js';
import { alignColumns, progressPrinter, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly profile?: string;
  readonly calibrate?: string;
  readonly evaluate?: string;
  readonly preprocess?: string;
  readonly detection?: string;
  readonly report?: string;
  readonly recipe: Recipe;
  readonly precision?: Precision | 'auto';
  readonly maxDrop?: number;
  readonly latencyUs?: number;
  readonly speedup?: number;
  readonly sizeRatio?: number;
  readonly minutes: number;
  readonly calibration?: Method;
  readonly cache?: string;
  readonly seed: number;
  readonly profiles: string[];
  readonly json?: boolean;
}

const collect = (value: string, sofar: string[]): string[] => [...sofar, value];
export const profilesOption = () =>
  new Option('--profiles <dir>', 'folder with more profiles; may be given again').argParser(collect).default([]);

export const quantizeCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('quantize')
    .description('Build the variant of a model for one hardware profile, and prove what it does.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <path>', 'file ending in .onnx or .tflite, or a folder for the whole artifact')
    .option('--profile <id>', 'hardware profile; by default the one that fits this machine')
    .option('--calibrate <spec>', 'data to calibrate with; int8 needs it')
    .option('--evaluate <spec>', 'data to compare float and variant on; take other samples than for calibration')
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .option(
      '--detection <file>',
      'what the outputs of a detector mean; by default MODEL.detection.json or the metadata',
    )
    .option('--report <dir>', 'folder for report.json and report.html')
    .addOption(new Option('--recipe <name>', 'what to build').choices(Recipe.options).default('int8'))
    .addOption(
      new Option(
        '--calibration <method>',
        'how ranges are drawn; by default the best of all on samples kept for choosing',
      ).choices(METHODS),
    )
    .addOption(
      new Option(
        '--precision <name>',
        'what nodes compute in; int8 by default, auto tries all that the profile has',
      ).choices(['auto', ...PRECISIONS]),
    )
    .option('--max-drop <points>', 'budget: points of top-1 that may be lost', positive('--max-drop'))
    .option('--latency-us <n>', 'budget: p50 in microseconds, at most', positive('--latency-us'))
    .option('--speedup <n>', 'budget: times as fast as float, at least', positive('--speedup'))
    .option('--size-ratio <n>', 'budget: times smaller than float, at least', positive('--size-ratio'))
    .option('--cache <file>', 'keeps what calibration has found: a build that was killed goes on from it')
    .option(
      '--minutes <n>',
      'time that a search within budgets, and the training of pruned-int8, may take; 0 for no training',
      wholeNumber('--minutes', 0, 10_000),
      30,
    )
    .option('--seed <number>', 'seed of random inputs', wholeNumber('--seed', 0, 2 ** 32 - 1), 1)
    .addOption(profilesOption())
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

/** The profile named, or the one that fits this machine. Throws ESP_PROFILE_UNKNOWN, ESP_PROFILE_UNMATCHED. */
export async function chooseProfile(id: string | undefined, dirs: readonly string[]): Promise<HardwareProfile> {
  const profiles = await loadProfiles(dirs);
  if (id) return profileById(id, profiles);
  const facts = await readLocalFacts();
  const match = matchProfile(facts, profiles);
  if (!match) throw ProfileUnmatched({ arch: facts.arch });
  return match.profile;
}

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const profile = await chooseProfile(flags.profile, flags.profiles);
  const graph = await readChecked(model);
  const { record } = await findPreprocess(model, graph, flags.preprocess);
  const detection = await findDetection(model, graph, flags.detection);
  const format = formatOf(flags.output, profile);
  const single = format !== undefined;
  const budgets = budgetsOf(flags);
  const precision = precisionOf(flags, profile);
  const outDir = single ? await mkdtemp(path.join(os.tmpdir(), 'espalier-')) : flags.output;
  try {
    const built = await buildVariant({
      modelPath: model,
      modelName: modelName(model),
      profile,
      recipe: flags.recipe,
      maxDrop: flags.maxDrop ?? null,
      minutes: flags.minutes,
      ...(budgets ? { budgets } : {}),
      precision,
      onPoint: pointPrinter(terminal),
      method: flags.calibration,
      cache: flags.cache,
      calibrate: flags.calibrate ?? null,
      evaluate: flags.evaluate ?? null,
      preprocess: record,
      detection,
      outDir,
      ...(format ? { output: format } : {}),
      seed: flags.seed,
      signal,
      onProgress: progressPrinter(terminal),
    });
    const { report } = built;
    if (single) {
      await copyOut(path.join(outDir, `model.${format}`), flags.output);
      await writeBuildOptions(flags.output, `model.${format}`, profile, built);
    }
    if (flags.report) await writeReport(flags.report, report);
    terminal.out(flags.json ? `${JSON.stringify(summarize(report))}\n` : describe(report));
  } finally {
    if (single) await rm(outDir, { recursive: true, force: true });
  }
}

/** Throws ESP_FLAG_INVALID for a precision that the profile does not have. */
function precisionOf({ precision = 'int8' }: Flags, profile: HardwareProfile): Precision | 'auto' {
  // int8 on hardware without it is no mistake of the caller: float is kept, and the report says why.
  if (precision === 'auto' || precision === 'int8' || isOffered(profile, precision)) return precision;
  const offered = PRECISIONS.filter((one) => isOffered(profile, one));
  throw FlagInvalid({
    flag: '--precision',
    value: precision,
    wanted: `${offered.join(', ')} or auto for ${profile.id}`,
  });
}

/** Null where no budget was given: then one build is made, and nothing is searched. */
function budgetsOf({ maxDrop, latencyUs, speedup, sizeRatio, recipe }: Flags): Budgets | null {
  const given = recipe === 'int8' ? [maxDrop, latencyUs, speedup, sizeRatio] : [latencyUs, speedup, sizeRatio];
  if (given.every((one) => one === undefined)) return null;
  return {
    ...{ maxDrop: maxDrop ?? null, latencyUs: latencyUs ?? null },
    ...{ speedup: speedup ?? null, sizeRatio: sizeRatio ?? null },
  };
}

/** The format of a single file, or undefined for a folder. Throws ESP_FLAG_INVALID when the profile has no such file. */
function formatOf(output: string, { id, outputs }: HardwareProfile): OutputFormat | undefined {
  const format = (['onnx', 'tflite'] as const).find((one) => output.endsWith(`.${one}`));
  if (format === 'tflite' && !outputs.includes(format)) {
    throw FlagInvalid({ flag: '--output', value: output, wanted: `.${outputs.join(' or .')} for ${id}, or a folder` });
  }
  return format;
}

/** Throws ESP_OUTPUT_UNWRITABLE. */
async function copyOut(from: string, to: string): Promise<void> {
  try {
    await mkdir(path.dirname(to), { recursive: true });
    await copyFile(from, to);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw OutputUnwritable({ path: to, why }, { cause: error });
  }
}

/** NAME.build-options.json beside a single file whose device has a compiler. Throws ESP_OUTPUT_UNWRITABLE. */
async function writeBuildOptions(
  output: string,
  entry: string,
  profile: HardwareProfile,
  { files, inputs }: BuiltVariant,
): Promise<void> {
  const { dir, base, name } = path.parse(output);
  const sha256 = files.find((file) => file.path === entry)?.sha256 ?? '';
  const options = buildOptionsFor(profile, { name: base, sha256 }, inputs);
  if (options) await writeArtifact(dir || '.', `${name}.${BUILD_OPTIONS}`, `${JSON.stringify(options, null, 2)}\n`);
}

async function writeReport(folder: string, report: Report): Promise<void> {
  await writeArtifact(folder, 'report.json', `${JSON.stringify(report, null, 2)}\n`);
  await writeArtifact(folder, 'report.html', reportPage(report));
}

function describe(report: Report): string {
  const title = `${report.model} for ${report.profile}: ${report.method === 'float' ? 'float, kept' : report.method}\n`;
  const table = alignColumns([['', 'float', 'variant'], ...comparisonRows(report)]);
  const floats = report.floatNodes.map(({ node, op, reason }) => `Float: ${node} (${op}): ${reason}`);
  return `${title}${table}${[...findings(report), ...floats, ...report.notes].join('\n')}\n`;
}
