#!/usr/bin/env node
/**
 * Starts the `espalier` command: builds it when its sources are newer than its build, and runs it under the Node that
 * the workspace pins. What the build says goes to stderr; stdout belongs to the command.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const home = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const root = path.join(home, '..', '..');
const bin = path.join(root, 'node_modules', '.bin');
const main = path.join(home, 'dist', 'cli', 'main.js');
const pinned = path.join(bin, 'node');
const node = existsSync(pinned) ? pinned : process.execPath;

/** Time of the newest file below a folder. */
const newest = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(path.join(entry.parentPath, entry.name)).mtimeMs), 0);

const sources = [path.join(home, 'src'), path.join(root, 'proto', 'src')];
const stamp = path.join(home, 'dist', '.tsbuildinfo');
const built = existsSync(main) && existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
if (sources.some((folder) => newest(folder) > built)) {
  const compiler = path.join(bin, 'tsc');
  if (!existsSync(compiler)) {
    process.stderr.write('ESP_NOT_INSTALLED: The dependencies are not installed.\n  Run `npm run build` first.\n');
    process.exit(1);
  }
  process.stderr.write('Building ...\n');
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
  const { status } = spawnSync(compiler, ['-b', home], { stdio: ['ignore', 2, 2], env });
  if (status !== 0) process.exit(status ?? 1);
  utimesSync(stamp, new Date(), new Date());
}

const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
