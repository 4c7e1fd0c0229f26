import path from 'node:path';
import { mallocEnv } from '@espalier/compression/runtime/malloc';
import { linesOf } from './program.ts';

/**
 * The summary line of one model, built and evaluated in a process of its own.
 * @param kept folder for the artifact; without one it is removed
 */
export async function buildModel(
  data: string,
  model: string,
  profile = '',
  kept?: string,
): Promise<Record<string, unknown>> {
  const child = path.join(import.meta.dirname, 'models-child.ts');
  const [line] = await linesOf(process.execPath, [child, data, model, profile, ...(kept ? [kept] : [])], {
    env: { ...mallocEnv },
  });
  if (!line) throw new Error(`${model} printed nothing`);
  return line;
}
