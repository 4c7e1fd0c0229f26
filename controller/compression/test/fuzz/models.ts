/**
 * `npm run fuzz:models -- --n 2000 --seed S`: mutated models through reading, checking, rewriting, loading and building.
 * Each must end with a coded error or a valid result. Progress on stderr, at the end one JSON line on stdout; the exit
 * code is 1 when a process crashed or a step took more than 10 s of processor time.
 *
 *   node models.ts [--n N] [--seed S] [--jobs N] [--only CASE] [--tiny] [--keep DIR]
 */
import os from 'node:os';
import path from 'node:path';
import { benchArguments } from '../../../../test/bench/arguments.ts';
import { fuzz } from './fuzz.ts';
import { seedModels } from './seeds.ts';

const values = benchArguments(import.meta.filename, {
  ...{ n: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' } },
  ...{ jobs: { type: 'string', default: '2' }, only: { type: 'string' }, tiny: { type: 'boolean', default: false } },
  keep: { type: 'string', default: path.join(os.tmpdir(), 'espalier-fuzz-kept') },
});
const counts = await fuzz({
  n: Number(values.n),
  seed: Number(values.seed),
  jobs: Number(values.jobs),
  seeds: seedModels(values.tiny),
  keep: values.keep,
  ...(values.only === undefined ? {} : { only: Number(values.only) }),
  say: (text) => process.stderr.write(`${text}\n`),
});
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exitCode = counts.crashes + counts.hangs > 0 ? 1 : 0;
