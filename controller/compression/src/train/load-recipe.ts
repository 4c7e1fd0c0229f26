import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { RecipeInvalid } from '../errors.js';
import { TrainRecipe } from './recipe.js';

/** The recipes that come with Espalier. */
const OWN = path.join(import.meta.dirname, '..', '..', 'recipes');
const ENDING = '.yaml';

export const recipeNames = async (): Promise<string[]> =>
  (await readdir(OWN))
    .filter((name) => name.endsWith(ENDING))
    .map((name) => path.basename(name, ENDING))
    .sort();

/** A recipe by the name of one of ours, or a YAML or JSON file. Throws ESP_RECIPE_INVALID with the field. */
export async function loadRecipe(nameOrFile: string): Promise<TrainRecipe> {
  const isOwn = (await recipeNames()).includes(nameOrFile);
  const file = isOwn ? path.join(OWN, `${nameOrFile}${ENDING}`) : nameOrFile;
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    const known = (await recipeNames()).join(', ');
    throw RecipeInvalid({ file, why: (error as Error).message.split('\n')[0]!, known }, { cause: error });
  }
  const parsed = TrainRecipe.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw RecipeInvalid({
    file,
    why: `${issue.path.join('.')}: ${issue.message}`,
    known: (await recipeNames()).join(', '),
  });
}
