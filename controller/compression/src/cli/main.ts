import { Command, CommanderError } from 'commander';
import { augmentCommand } from './augment.js';
import { evaluateCommand } from './evaluate.js';
import { exitsCommand } from './exits.js';
import { groupsCommand } from './groups.js';
import { inspectCommand } from './inspect.js';
import { optimizeCommand } from './optimize.js';
import { profileOpsCommand } from './profile-ops.js';
import { profilesCommand } from './profiles.js';
import { pruneCommand } from './prune.js';
import { quantizeCommand } from './quantize.js';
import { searchCommand } from './search.js';
import { printError, processTerminal as terminal } from './terminal.js';
import { trainCommand } from './train.js';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('stopped by Ctrl-C')));
process.once('SIGTERM', () => stop.abort(new Error('stopped by SIGTERM')));

const program = new Command('espalier')
  .description('Compresses ONNX models for the hardware they will run on.')
  .addCommand(quantizeCommand(terminal, stop.signal))
  .addCommand(pruneCommand(terminal, stop.signal))
  .addCommand(trainCommand(terminal, stop.signal))
  .addCommand(augmentCommand(terminal))
  .addCommand(optimizeCommand(terminal, stop.signal))
  .addCommand(exitsCommand(terminal, stop.signal))
  .addCommand(searchCommand(terminal, stop.signal))
  .addCommand(evaluateCommand(terminal, stop.signal))
  .addCommand(groupsCommand(terminal))
  .addCommand(inspectCommand(terminal))
  .addCommand(profilesCommand(terminal))
  .addCommand(profileOpsCommand(terminal, stop.signal))
  .addHelpText(
    'after',
    '\nA data SPEC is cifar10:FILE, idx:IMAGES,LABELS, csv:FILE, coco:JSON, kws:FILE, npy:DIR, list:FILE\nor random:N;\nsee docs/compression.md.',
  );

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) throw error;
  process.exitCode = printError(stop.signal.aborted ? stop.signal.reason : error, terminal);
}
