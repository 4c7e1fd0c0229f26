/**
 * `npm run bench:frontier -- --json`: what the frontier techniques are worth on this machine, a line an id:
 * {"id","value","unit","reference","n","seed"}. See docs/frontier.md. Some rows need ../shared/data.
 *
 *   node test/bench/frontier.ts [--json] [--only REGEX] [--long]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { benchArguments } from './arguments.ts';
import { binary } from './frontier/binary.ts';
import { exits } from './frontier/exits.ts';
import { search } from './frontier/search.ts';
import type { Bench, Row } from './training/row.ts';

const values = benchArguments(import.meta.filename, {
  json: { type: 'boolean' },
  only: { type: 'string' },
  long: { type: 'boolean' },
});
const data = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
const describe = ({ id, value, unit, reference, n, note }: Row): string =>
  `${id}: ${value} ${unit} (reference: ${reference}; n ${n})${note ? `; ${note}` : ''}\n`;

const wanted = new RegExp(values.only ?? '');
const all: Bench[] = [binary, exits, search].filter(({ id, long }) => wanted.test(id) && (values.long || !long));
if (!existsSync(data)) process.stderr.write(`Rows of real models are left out: they are not at ${data}.\n`);
for (const bench of all.filter((one) => one === binary || existsSync(data))) {
  process.stderr.write(`${bench.id} ...\n`);
  for (const row of await bench.measure(data, null)) {
    process.stdout.write(values.json ? `${JSON.stringify(row)}\n` : describe(row));
  }
}
