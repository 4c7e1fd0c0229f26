import path from 'node:path';
import { Command, Option } from 'commander';
import { openDataset } from '../data/dataset.js';
import { findPreprocess } from '../data/preprocess.js';
import { readChecked } from '../inspect.js';
import { profileOps } from '../latency/profile-ops.js';
import { alignmentOf } from '../prune/curves.js';
import { orderPruning } from '../prune/prunable.js';
import { prepare } from '../recipe/prepare.js';
import { writeArtifact } from '../recipe/write.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { modelName } from './model-name.js';
import { chooseProfile, profilesOption } from './quantize.js';
import { alignColumns, progressPrinter, type Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly profile?: string;
  readonly profiles: string[];
  readonly precision: 'int8' | 'float32';
  readonly calibrate: string;
  readonly preprocess?: string;
  readonly json?: boolean;
}

export const profileOpsCommand = (terminal: Terminal, signal: AbortSignal): Command =>
  new Command('profile-ops')
    .description('Measure what each operator of a model costs on this machine at several widths.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --output <file>', 'the latency table, JSON')
    .option('--profile <id>', 'hardware profile; by default the one that fits this machine')
    .addOption(new Option('--precision <name>', 'of the builds').choices(['int8', 'float32']).default('int8'))
    .option('--calibrate <spec>', 'a few samples to run', 'random:8')
    .option('--preprocess <file>', 'preprocessing record; by default MODEL.preprocess.json or the model’s metadata')
    .addOption(profilesOption())
    .option('--json', 'print the table as one JSON line too')
    .action((model: string, flags: Flags) => run(model, flags, terminal, signal));

async function run(model: string, flags: Flags, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const profile = await chooseProfile(flags.profile, flags.profiles);
  const original = await readChecked(model);
  const { record: preprocess } = await findPreprocess(model, original, flags.preprocess);
  const { inputs } = await probeModel(model, limitsOf(original));
  const data = await openDataset(flags.calibrate);
  const feeding = { inputs, preprocess, batchSize: 2, seed: 1, limit: 8, signal };
  const { graph } = await prepare(original, data, feeding);
  const alignment = alignmentOf(profile.alignment, flags.precision === 'int8');
  const subject = await orderPruning(graph, { importance: 'l2', alignment, tied: false, data, feeding, seed: 1 });
  const print = progressPrinter(terminal);
  const table = await profileOps(subject, {
    ...{ model: modelName(model), profile, precision: flags.precision },
    onProgress: (fraction) => print({ step: 'measure', stepIndex: 0, steps: 1, fraction }),
  });
  await writeArtifact(path.dirname(flags.output), path.basename(flags.output), `${JSON.stringify(table, null, 2)}\n`);
  if (flags.json) return terminal.out(`${JSON.stringify(table)}\n`);
  const rows = table.rows
    .filter(({ usPerWork }) => usPerWork > 0)
    .map(({ node, op, points, fixedUs, usPerWork }) => [
      ...[node, op, points[0]!.us.toFixed(1), fixedUs.toFixed(1), (usPerWork * points[0]!.work).toFixed(1)],
    ]);
  terminal.out(`${profile.id}, ${table.key.soc}: ${table.anchorUs} us for the whole model\n`);
  terminal.out(alignColumns([['NODE', 'OP', 'US', 'FIXED', 'BY WIDTH'], ...rows]));
}
