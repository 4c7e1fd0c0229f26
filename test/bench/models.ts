/**
 * `npm run bench:models -- --json`: int8 for this machine's profile on every model of ../shared/data, one line each.
 * Every model runs in a process of its own, so that its CPU seconds and memory are its own.
 *
 *   node test/bench/models.ts [--json] [--only REGEX] [--profile ID]
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { benchArguments } from './arguments.ts';
import { buildModel } from './build-model.ts';
import { models } from './models-list.ts';

const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, only: { type: 'string' }, profile: { type: 'string' } },
});
const data = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
if (!existsSync(data)) {
  process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
  process.exit(0);
}

const wanted = new RegExp(values.only ?? '');
for (const { model } of models.filter((one) => wanted.test(one.model))) {
  const line = await buildModel(data, model, values.profile);
  if (values.json) process.stdout.write(`${JSON.stringify(line)}\n`);
  else {
    const { method, top1Float, top1, fixed, broken, speedup, sizeRatio } = line;
    process.stdout.write(
      `${model}: ${method}, top-1 ${top1Float} -> ${top1} (${fixed} fixed, ${broken} broken), ` +
        `${speedup}x faster, ${sizeRatio}x smaller\n`,
    );
  }
}
