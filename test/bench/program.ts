import { spawn } from 'node:child_process';

/** The JSON objects that a program prints, one a line; what its tools say beside them is left out. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/**
 * Runs a program and returns the JSON lines of its stdout; its stderr goes to `log`. Throws when it prints none and ends with
 * another code than 0: a benchmark that misses its bound says so in both ways.
 */
export async function linesOf(
  program: string,
  args: readonly string[],
  { env = {}, log = 'inherit' }: { env?: Readonly<Record<string, string>>; log?: 'inherit' | 'ignore' } = {},
): Promise<Record<string, unknown>[]> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', log], env: { ...process.env, ...env } });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject));
  const lines = jsonLines(text);
  if (code !== 0 && lines.length === 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
  return lines;
}
