/**
 * `npm run bench:training -- --json`: what pruning and training reach on real networks, a line an id:
 * {"id","value","unit","reference","n","seed"}. Needs ../shared/data; takes about 15 minutes, with --long an hour.
 *
 *   node test/bench/training.ts [--json] [--only REGEX] [--long] [--peers VENV]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { benchArguments } from './arguments.ts';
import { long } from './training/long.ts';
import { loop } from './training/loop.ts';
import { prediction } from './training/prediction.ts';
import type { Row } from './training/row.ts';
import { steps } from './training/steps.ts';
import { bundles } from './training/structure.ts';
import { trained } from './training/trained.ts';
import { untrained } from './training/untrained.ts';

const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, only: { type: 'string' }, long: { type: 'boolean' } },
  peers: { type: 'string' },
});
const data = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
if (!existsSync(data)) {
  process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
  process.exit(0);
}

const describe = ({ id, value, unit, reference, n, note }: Row): string =>
  `${id}: ${value} ${unit} (reference: ${reference}; n ${n})${note ? `; ${note}` : ''}\n`;

const wanted = new RegExp(values.only ?? '');
const all = [...untrained, bundles, prediction, ...steps, ...trained, ...loop, ...long].filter(
  ({ long }) => values.long || !long,
);
for (const bench of all.filter(({ id }) => wanted.test(id))) {
  process.stderr.write(`${bench.id} ...\n`);
  for (const row of await bench.measure(data, values.peers ?? null)) {
    process.stdout.write(values.json ? `${JSON.stringify(row)}\n` : describe(row));
  }
}
