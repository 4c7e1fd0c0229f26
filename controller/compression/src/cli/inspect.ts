import { Command } from 'commander';
import { inspectModel, type ModelInfo } from '../inspect.js';
import { bytes } from '../report/format.js';
import { modelName } from './model-name.js';
import { alignColumns, type Terminal } from './terminal.js';

export const inspectCommand = (terminal: Terminal): Command =>
  new Command('inspect')
    .description('What a model is: inputs, outputs, operators, size, and what to know before compressing it.')
    .argument('<model>', 'ONNX file')
    .option('--json', 'print the result as one JSON line')
    .action(async (model: string, flags: { json?: boolean }) => {
      const info = await inspectModel(model);
      const name = modelName(model);
      terminal.out(flags.json ? `${JSON.stringify({ model: name, ...info })}\n` : describe(name, info));
    });

function describe(name: string, info: ModelInfo): string {
  const tensor = ({ name, type, shape }: ModelInfo['inputs'][number]) => `${name} ${type} [${shape.join(', ')}]`;
  const rows = [
    ['Opset', `${info.opset} (IR ${info.irVersion})`],
    ['Producer', info.producer || 'unknown'],
    ['Inputs', info.inputs.map(tensor).join('; ')],
    ['Outputs', info.outputs.map(tensor).join('; ')],
    ['Size', `${bytes(info.sizeBytes)}, ${info.parameters} parameters`],
    [
      'Operators',
      Object.entries(info.operators)
        .map(([op, count]) => `${op} ${count}`)
        .join(', '),
    ],
    ['Labels', info.labels ? String(info.labels.length) : 'none'],
  ];
  return `${name}\n${alignColumns(rows)}${info.warnings.map((warning) => `${warning}\n`).join('')}`;
}
