/** A short run of `npm run fuzz:models` over the models that come with the project. */
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { fuzz } from './fuzz.ts';
import { mutant } from './mutate.ts';
import { seedModels } from './seeds.ts';

const seeds = seedModels(true);
const seed = Number(process.env.SEED ?? 20);

t.test('the same number gives the same mutant', async (t) => {
  t.strictSame(mutant(seeds, 5), mutant(seeds, 5));
  t.not(mutant(seeds, 5).what, mutant(seeds, 6).what);
});

t.test(`60 mutated models end with a coded error or a valid result (SEED=${seed})`, async (t) => {
  const keep = path.join(os.tmpdir(), 'espalier-fuzz-kept');
  const counts = await fuzz({ n: 60, seed, jobs: 2, seeds, keep, say: (text) => t.comment(text) });
  t.comment(JSON.stringify(counts));
  t.match(counts, { n: 60, seed, crashes: 0, hangs: 0 });
  const ended = Object.values(counts.coded).reduce((sum, count) => sum + count, counts.ok);
  t.equal(ended, 60);
  t.ok(counts.ok > 0 && ended > counts.ok, 'some are valid, some are refused');
});
