/**
 * `npm run bench:training -- --json`: what pruning without training reaches on real networks, a line an id:
 * {"id","value","unit","reference","n","seed"}. Needs ../shared/data; takes about 5 minutes.
 *
 *   node test/bench/training.ts [--json] [--only REGEX]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Row, rows } from './training-rows.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
const data = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
if (!existsSync(data)) {
  process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
  process.exit(0);
}

const describe = ({ id, value, unit, reference, n, note }: Row): string =>
  `${id}: ${value} ${unit} (reference: ${reference}; n ${n})${note ? `; ${note}` : ''}\n`;

const wanted = new RegExp(values.only ?? '');
for (const bench of rows.filter(({ id }) => wanted.test(id))) {
  process.stderr.write(`${bench.id} ...\n`);
  for (const row of await bench.measure(data)) {
    process.stdout.write(values.json ? `${JSON.stringify(row)}\n` : describe(row));
  }
}
