/**
 * `npm run bench:training -- --json`: what pruning and training reach on real networks, a line an id:
 * {"id","value","unit","reference","n","seed"}, and "model" where an id has several. Needs ../shared/data; takes about 40
 * minutes, with --long three hours. What --long measures is kept in test/bench/results/training.json with commit and seed,
 * so that a run goes on where the last one stopped; --again measures it anew. --peers VENV (the environment of the peers'
 * setup.sh) adds the rows that time PyTorch in the same run.
 *
 *   node test/bench/training.ts [--json] [--only REGEX] [--long [--again]] [--peers VENV]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { benchArguments } from './arguments.ts';
import { Kept } from './kept.ts';
import { long } from './training/long.ts';
import { loop } from './training/loop.ts';
import { prediction } from './training/prediction.ts';
import { type Row, SEED } from './training/row.ts';
import { steps } from './training/steps.ts';
import { bundles } from './training/structure.ts';
import { trained } from './training/trained.ts';
import { untrained } from './training/untrained.ts';

const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, only: { type: 'string' }, long: { type: 'boolean' } },
  ...{ peers: { type: 'string' }, again: { type: 'boolean', default: false } },
});
const data = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
if (!existsSync(data)) {
  process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
  process.exit(0);
}

const nameOf = ({ id, model }: Pick<Row, 'id' | 'model'>): string => (model ? `${id}-${model}` : id);
const describe = ({ value, unit, reference, n, note, ...row }: Row): string =>
  `${nameOf(row)}: ${value} ${unit} (reference: ${reference}; n ${n})${note ? `; ${note}` : ''}\n`;

const wanted = new RegExp(values.only ?? '');
const all = [...untrained, bundles, prediction, ...steps, ...trained, ...loop, ...long].filter(
  ({ long }) => values.long || !long,
);
const kept = new Kept<Row[]>('training', values.again);
for (const bench of all.filter((one) => wanted.test(nameOf(one)))) {
  process.stderr.write(`${nameOf(bench)} ...\n`);
  const measure = () => bench.measure(data, values.peers ?? null);
  for (const row of await (bench.long ? kept.value(nameOf(bench), SEED, measure) : measure())) {
    process.stdout.write(values.json ? `${JSON.stringify(row)}\n` : describe(row));
  }
}
