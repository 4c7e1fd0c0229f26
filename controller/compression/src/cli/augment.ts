import { writeFile } from 'node:fs/promises';
import type { Pixels } from '@espalier/proto';
import { Command } from 'commander';
import { openDataset } from '../data/dataset.js';
import { DataUnfit, OutputUnwritable } from '../errors.js';
import { loadRecipe } from '../train/load-recipe.js';
import { previewPage } from '../train/preview.js';
import { wholeNumber } from './numbers.js';
import type { Terminal } from './terminal.js';

interface Flags {
  readonly output: string;
  readonly data: string;
  readonly recipe: string;
  readonly images: number;
  readonly versions: number;
  readonly seed: number;
}

export const augmentCommand = (terminal: Terminal): Command =>
  new Command('augment')
    .description('Show what a training recipe makes of images, as a page to look at before training.')
    .requiredOption('-o, --output <file>', 'HTML page')
    .requiredOption('--data <spec>', 'images')
    .option('--recipe <name or file>', 'as for train', 'progressive')
    .option('--images <n>', 'images to show, evenly from the data', wholeNumber('--images', 1, 100), 8)
    .option('--versions <n>', 'versions of each', wholeNumber('--versions', 1, 50), 8)
    .option('--seed <number>', 'seed of the changes', wholeNumber('--seed', 0, 2 ** 32 - 1), 1)
    .action((flags: Flags) => run(flags, terminal));

async function run({ output, data: spec, recipe: name, images, versions, seed }: Flags, { out }: Terminal) {
  const recipe = await loadRecipe(name);
  const data = await openDataset(spec);
  const shown = Math.min(images, data.n);
  const pixels: Pixels[] = [];
  for (let at = 0; at < shown; at++) {
    const content = await data.read(Math.floor((at * data.n) / shown));
    if (content.kind !== 'image') throw DataUnfit({ spec, input: 'the page', why: 'it holds no images' });
    pixels.push(content.pixels);
  }
  const page = await previewPage(pixels, recipe, { versions, seed });
  await writeFile(output, page).catch((error: NodeJS.ErrnoException) => {
    throw OutputUnwritable({ path: output, why: error.code ?? String(error) }, { cause: error });
  });
  out(`${shown} images, ${versions} versions of each: ${output}\n`);
}
