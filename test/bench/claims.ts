/**
 * `npm run claims -- --json`: the field's folklore, reproduced or refuted; a line a claim. Figures are kept by arm and seed
 * in test/bench/results/claims.json, so that a run goes on where the last one stopped; `--again` measures anew.
 *
 *   node test/bench/claims.ts [--json | --markdown] [--only REGEX] [--seeds 3] [--again] [--ncnn VENV]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { benchArguments } from './arguments.ts';
import { type Claim, claims } from './claims/claims.ts';
import { Lab } from './claims/lab.ts';
import { spreadOf, verdictOf } from './claims/verdict.ts';

const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, markdown: { type: 'boolean' }, only: { type: 'string', default: '' } },
  ...{ seeds: { type: 'string', default: '3' }, again: { type: 'boolean', default: false } },
  ncnn: { type: 'string' },
});
const data = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
if (!existsSync(data)) {
  process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
  process.exit(0);
}

const lab = new Lab(data, values.again, values.ncnn ?? null);
const seeds = Array.from({ length: Number(values.seeds) }, (_, at) => at + 1);
const short = (value: number): number => Number(value.toFixed(2));

async function measure({ id, claim, conditions, unit, arms, effect, claimed, onlyWhen }: Claim) {
  const effects: number[] = [];
  for (const seed of seeds) {
    const figures: number[] = [];
    for (const arm of arms) figures.push(await lab.value(arm, seed));
    effects.push(effect(figures));
  }
  const { mean, low, high } = spreadOf(effects);
  const verdict = verdictOf({ mean, low, high }, claimed);
  return {
    ...{ id, claim, conditions, unit, effect: short(mean), low: short(low), high: short(high), n: seeds.length },
    verdict: verdict === 'only when' ? `only ${onlyWhen}` : verdict,
    command: `npm run claims -- --only '^${id}$'`,
  };
}
type Row = Awaited<ReturnType<typeof measure>>;

const print = (row: Row): string => {
  const { id, claim, conditions, unit, effect, low, high, verdict, n } = row;
  const spread = `${effect} (${low} to ${high}, ${n} seeds) ${unit}`;
  if (values.json) return JSON.stringify(row);
  return values.markdown
    ? `| \`${id}\` | ${claim} | ${conditions} | ${spread} | ${verdict} |`
    : `${id}: ${verdict}. ${claim}: ${spread}`;
};

const wanted = new RegExp(values.only);
for (const claim of claims.filter(({ id }) => wanted.test(id))) {
  const isKept = !values.again && claim.arms.every((arm) => lab.has(arm, seeds));
  if (claim.needs && !values[claim.needs] && !isKept)
    process.stderr.write(`Skipped: ${claim.id} takes --${claim.needs} VENV, a Python environment that has it.\n`);
  else process.stdout.write(`${print(await measure(claim))}\n`);
}
await lab.close();
