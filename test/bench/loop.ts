/**
 * `npm run bench:loop -- --json`: what the closed loop takes and never does, a line an id:
 * {"id","value","unit","bar","n","seed","note"}. Those that need a network of ../shared/data are left out without it.
 *
 *   node test/bench/loop.ts [--json] [--only REGEX] [--long] [--help]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../support/process.ts';
import { budgetMissed, ladder, pruned, table } from './loop/journey.ts';
import { many } from './loop/many.ts';
import { oracle } from './loop/oracle.ts';
import type { LoopBench, Row } from './loop/row.ts';
import { simulated } from './loop/simulated.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    only: { type: 'string' },
    long: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
const data = path.join(root, '..', 'shared', 'data');

const describe = ({ id, value, unit, bar, n, note }: Row): string =>
  `${id}: ${value} ${unit} (bar: ${bar}; n ${n})${note ? `; ${note}` : ''}\n`;

const help = (benches: readonly LoopBench[]): string =>
  [
    'node test/bench/loop.ts [--json] [--only REGEX] [--long] [--help]',
    '',
    '  --json   a line of JSON for each row',
    '  --only   rows whose id matches',
    '  --long   those that take longer than ten minutes too',
    '',
    ...benches.map(({ ids, long, needsData }) =>
      [`  ${ids.join(', ')}`, ...(long ? ['with --long'] : []), ...(needsData ? ['needs ../shared/data'] : [])].join(
        '; ',
      ),
    ),
    '',
  ].join('\n');

const wanted = new RegExp(values.only ?? '');
const all: readonly LoopBench[] = [simulated, many, ladder, table, budgetMissed, oracle, pruned];
if (values.help) {
  process.stdout.write(help(all));
  process.exit(0);
}
for (const bench of all.filter(({ long }) => values.long || !long)) {
  if (!bench.ids.some((id) => wanted.test(id))) continue;
  if (bench.needsData && !existsSync(data)) {
    process.stderr.write(`Skipped ${bench.ids.join(', ')}: the models and data are not at ${data}.\n`);
    continue;
  }
  process.stderr.write(`${bench.ids.join(', ')} ...\n`);
  for (const row of (await bench.measure(data)).filter(({ id }) => wanted.test(id)))
    process.stdout.write(values.json ? `${JSON.stringify(row)}\n` : describe(row));
}
