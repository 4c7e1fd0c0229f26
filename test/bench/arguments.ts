/** How benchmarks read their command line: alike, with `--help`. */
import { readFileSync } from 'node:fs';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** The comment at the head of a program says how it is used. */
const usageOf = (file: string): string => {
  const [, comment = ''] = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, 'utf8')) ?? [];
  return `${comment.replaceAll(/^ \* ?/gm, '').trim()}\n`;
};

/**
 * Values of the options of the program in `file`. `--help` prints its head comment and ends; an unknown option does so with
 * an error.
 */
export function benchArguments<const T extends ParseArgsOptionsConfig>(file: string, options: T) {
  if (process.argv.includes('--help')) {
    process.stdout.write(usageOf(file));
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usageOf(file)}`);
    process.exit(2);
  }
}
