/** The command line in a process of its own, as a user runs it. */
import { spawn } from 'node:child_process';
import path from 'node:path';

export const bin = path.join(import.meta.dirname, '..', '..', 'bin', 'espalier.mjs');

export function espalier(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

/** The JSON lines of stdout; anything else there fails. */
export const lines = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
