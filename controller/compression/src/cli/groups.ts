import { Command } from 'commander';
import { openDataset } from '../data/dataset.js';
import { readChecked } from '../inspect.js';
import { isInner } from '../prune/groups.js';
import { traceGroups } from '../prune/prunable.js';
import { prepare } from '../recipe/prepare.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { modelName } from './model-name.js';
import { alignColumns, type Terminal } from './terminal.js';

export const groupsCommand = (terminal: Terminal): Command =>
  new Command('groups')
    .description('Which channels of a model can be removed together, and which must stay, with the reason.')
    .argument('<model>', 'ONNX file')
    .option('--json', 'print the result as one JSON line')
    .action(async (model: string, flags: { json?: boolean }) => {
      const graph = await readChecked(model);
      const { inputs } = await probeModel(model, limitsOf(graph));
      const feeding = { inputs, preprocess: null, batchSize: 2, seed: 1, limit: 2 };
      const data = await openDataset('random:2');
      const prepared = await prepare(graph, data, feeding);
      const { found } = await traceGroups(prepared.graph, data, feeding);
      const groups = found.prunable.map((group) => ({
        ...{ group: group.id, channels: group.channels.length, tied: !isInner(group) },
        producers: group.producers.map(({ name }) => name),
        consumers: group.consumers.map(({ name }) => name),
      }));
      const name = modelName(model);
      if (flags.json) return terminal.out(`${JSON.stringify({ model: name, groups, frozen: found.frozen })}\n`);
      const rows = groups.map(({ group, channels, tied, producers, consumers }) => [
        ...[group, String(channels), tied ? `tied: ${producers.length} layers` : ''],
        consumers.join(', '),
      ]);
      terminal.out(alignColumns([['GROUP', 'CHANNELS', '', 'READ BY'], ...rows]));
      for (const { node, channels, reason } of found.frozen)
        terminal.out(`Fixed: ${node}, ${channels} channels: ${reason}\n`);
    });
