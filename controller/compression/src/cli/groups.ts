import { Command } from 'commander';
import { listGroups } from '../prune/list-groups.js';
import { modelName } from './model-name.js';
import { alignColumns, type Terminal } from './terminal.js';

export const groupsCommand = (terminal: Terminal): Command =>
  new Command('groups')
    .description('Which channels of a model can be removed together, and which must stay, with the reason.')
    .argument('<model>', 'ONNX file')
    .option('--json', 'print the result as one JSON line')
    .action(async (model: string, flags: { json?: boolean }) => {
      const { groups, frozen } = await listGroups(model);
      if (flags.json) return terminal.out(`${JSON.stringify({ model: modelName(model), groups, frozen })}\n`);
      const rows = groups.map(({ group, channels, tied, producers, consumers }) => [
        ...[group, String(channels), tied ? `tied: ${producers.length} layers` : ''],
        consumers.join(', '),
      ]);
      terminal.out(alignColumns([['GROUP', 'CHANNELS', '', 'READ BY'], ...rows]));
      for (const { node, channels, reason } of frozen)
        terminal.out(`Fixed: ${node}, ${channels} channels: ${reason}\n`);
    });
