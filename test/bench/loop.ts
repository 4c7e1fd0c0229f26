/**
 * `npm run bench:loop -- --json`: what the closed loop takes and never does, a line an id:
 * {"id","value","unit","bar","n","seed","note"}. Those that need a network of ../shared/data are left out without it, and
 * those that take longer than ten minutes without --long. `--only` takes the rows whose id matches: false-triggers,
 * oscillations, many, ladder-minutes, table-minutes, int8-minutes, heterogeneity; oracle, prune-minutes, gain (long).
 *
 *   node test/bench/loop.ts [--json] [--only REGEX] [--long]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../support/process.ts';
import { benchArguments } from './arguments.ts';
import { heterogeneity } from './loop/heterogeneity.ts';
import { budgetMissed, ladder, pruned, table } from './loop/journey.ts';
import { many } from './loop/many.ts';
import { oracle } from './loop/oracle.ts';
import type { LoopBench, Row } from './loop/row.ts';
import { simulated } from './loop/simulated.ts';

const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, only: { type: 'string' }, long: { type: 'boolean' } },
});
const data = path.join(root, '..', 'shared', 'data');

const describe = ({ id, value, unit, bar, n, note }: Row): string =>
  `${id}: ${value} ${unit} (bar: ${bar}; n ${n})${note ? `; ${note}` : ''}\n`;

const wanted = new RegExp(values.only ?? '');
const all: readonly LoopBench[] = [simulated, many, ladder, table, budgetMissed, heterogeneity, oracle, pruned];
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
