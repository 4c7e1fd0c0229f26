import { StagedModel } from '@espalier/proto';
import { Command, Option } from 'commander';
import { openDataset } from '../data/dataset.js';
import { findPreprocess } from '../data/preprocess.js';
import { type MadeExits, makeExits } from '../exit/exits.js';
import { HEADS, type HeadKind } from '../exit/heads.js';
import { compareStaged, STAGES_FILE, type StagedReport, StagedSession } from '../exit/run-staged.js';
import { EXITS_MAX } from '../exit/thresholds.js';
import { readChecked } from '../inspect.js';
import { writeArtifact } from '../recipe/write.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { Session } from '../runtime/session.js';
import { defaultWorkers } from '../train/default-workers.js';
import { modelName } from './model-name.js';
import { positive, wholeNumber } from './numbers.js';
import { alignColumns, progressPrinter, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly data: string;
  readonly calibrate?: string;
  readonly evaluate?: string;
  readonly at?: string[];
  readonly exits: number;
  readonly head: HeadKind;
  readonly epochs: number;
  readonly joint: number;
  readonly maxDrop: number;
  readonly preprocess?: string;
  readonly seed: number;
  readonly json?: boolean;
}

const EPOCHS_MAX = 1000;

export const exitsCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('exits')
    .description('Give a classifier early exits, and write it as stages that run until one is sure.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <folder>', 'the stages and stages.json')
    .requiredOption('--data <spec>', 'labelled samples to train the exits on')
    .option('--calibrate <spec>', 'labelled samples for the thresholds, best ones the network has not learnt from')
    .option('--evaluate <spec>', 'other samples to hold the stages against the whole network on')
    .option('--exits <n>', 'how many, at equal shares of the work', wholeNumber('--exits', 1, EXITS_MAX), 2)
    .option('--at <value...>', 'feature maps to stand at instead')
    .addOption(new Option('--head <kind>', 'what stands at an exit').choices(HEADS).default('conv'))
    .option('--epochs <n>', 'epochs of the heads alone', wholeNumber('--epochs', 0, EPOCHS_MAX), 4)
    .option('--joint <n>', 'epochs of the whole network after that', wholeNumber('--joint', 0, EPOCHS_MAX), 0)
    .option('--max-drop <points>', 'points of top-1 that may be lost', positive('--max-drop'), 1)
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .option('--seed <number>', 'the same seed gives the same weights', wholeNumber('--seed', 0, 2 ** 32 - 1), 1)
    .option('--json', 'print the result as one JSON line')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const original = await readChecked(model);
  const { record: preprocess } = await findPreprocess(model, original, flags.preprocess);
  const { inputs } = await probeModel(model, limitsOf(original));
  const { seed } = flags;
  const print = progressPrinter(terminal);
  const made = await makeExits(original, {
    ...{ model: modelName(model), input: inputs[0]!, preprocess, seed, signal, workers: defaultWorkers() },
    ...{ data: await openDataset(flags.data), at: flags.at ?? flags.exits, head: flags.head, maxDrop: flags.maxDrop },
    ...{ epochs: flags.epochs, jointEpochs: flags.joint },
    calibration: flags.calibrate ? await openDataset(flags.calibrate) : null,
    onProgress: (fraction, step) => print({ step, stepIndex: 0, steps: 1, fraction }),
  });
  const staged = await writeStages(made, modelName(model), flags.output);
  const feeding = { inputs, preprocess, batchSize: 1, seed, signal };
  const report = flags.evaluate ? await judge(model, flags.output, flags.evaluate, feeding) : null;
  const { calibration, macs } = made;
  const result = { model: staged.model, macs, stages: staged.stages, calibration, evaluation: report };
  terminal.out(flags.json ? `${JSON.stringify(result)}\n` : describe(made, report));
}

async function writeStages(made: MadeExits, model: string, folder: string): Promise<StagedModel> {
  const stages: StagedModel['stages'] = [];
  for (const [at, bytes] of made.stages.entries()) {
    const { path: file, sha256 } = await writeArtifact(folder, `stage-${at}.onnx`, bytes);
    stages.push({ file, sha256, ...made.described[at]! });
  }
  const staged = StagedModel.parse({ version: 1, model, classes: made.classes, stages });
  await writeArtifact(folder, STAGES_FILE, `${JSON.stringify(staged, null, 2)}\n`);
  return staged;
}

async function judge(
  model: string,
  folder: string,
  spec: string,
  feeding: Parameters<typeof compareStaged>[3],
): Promise<StagedReport> {
  const whole = await Session.open(model, model);
  const staged = await StagedSession.open(folder);
  try {
    return await compareStaged(staged, whole, await openDataset(spec), feeding);
  } finally {
    await Promise.all([whole.dispose(), staged.dispose()]);
  }
}

function describe({ described, calibration, macs }: MadeExits, report: StagedReport | null): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  const n = calibration.histogram.reduce((sum, count) => sum + count, 0);
  const rows = described.map(({ feature, threshold, macs: own }, at) => [
    ...[feature ?? 'the end', percent(own / macs), `${calibration.exitAccuracy[at]!.toFixed(1)}%`],
    ...[threshold === null ? 'never' : threshold.toFixed(4), percent(calibration.histogram[at]! / n)],
  ]);
  const table = alignColumns([['EXIT', 'WORK', 'TOP-1', 'THRESHOLD', 'END HERE'], ...rows]);
  const chosen =
    `On the ${n} samples of the thresholds: ${calibration.accuracy.toFixed(2)}% with ` +
    `${percent(calibration.meanCost / macs)} of the work; the whole network ${calibration.wholeAccuracy.toFixed(2)}%\n`;
  if (!report) return table + chosen;
  const { histogram, top1, top1Whole, meanMacs, meanUs, wholeUs } = report;
  const accuracy = top1 === null ? '' : `${top1.toFixed(2)}% of ${report.n} (the whole network ${top1Whole}%), `;
  return (
    `${table}${chosen}Judged: ${accuracy}${percent(meanMacs / macs)} of the work, ${meanUs.toFixed(0)} us a sample ` +
    `(the whole network ${wholeUs.toFixed(0)}); ended at ${histogram.join(', ')}\n`
  );
}
