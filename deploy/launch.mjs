/**
 * Starts a program of this checkout: builds it first when its sources are newer than its build, and runs it under the
 * Node that the workspace pins. What the build says goes to stderr; stdout belongs to the program.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const bin = path.join(root, 'node_modules', '.bin');

/** Time of the newest file below a folder. */
const newest = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (latest, entry) => Math.max(latest, statSync(path.join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
      0,
    );

/** Signals of a program that was asked to stop; all others say that it broke down. */
const ASKED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The exit code for a program that a signal ended. What broke down says so with a code, as every error does. */
function ended(signal) {
  if (signal in ASKED) return ASKED[signal];
  const cause = signal === 'SIGKILL' ? 'the system, as a rule for want of memory' : 'a fault in native code';
  process.stderr.write(
    `ESP_PROGRAM_CRASHED: The program was ended by ${signal}: ${cause}.\n` +
      '  Check the free memory; whether a model is the cause, `espalier inspect MODEL` says.\n',
  );
  return 1;
}

/**
 * @param home the package, from the root of the checkout
 * @param entry its program, from the package
 * @param uses other packages whose sources it is built from
 * @param env what is added to the environment
 * @param flags of Node
 */
export function launch({ home, entry, uses, env = {}, flags = [] }) {
  const stamp = path.join(root, home, 'dist', '.tsbuildinfo');
  const main = path.join(root, home, entry);
  const built = existsSync(main) && existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  if ([home, ...uses].some((folder) => newest(path.join(root, folder, 'src')) > built)) {
    const compiler = path.join(bin, 'tsc');
    if (!existsSync(compiler)) {
      process.stderr.write('ESP_NOT_INSTALLED: The dependencies are not installed.\n  Run `npm run build` first.\n');
      process.exit(1);
    }
    process.stderr.write('Building ...\n');
    // A test runner's loader hooks would reach the compiler through NODE_OPTIONS, and break it.
    const { NODE_OPTIONS: _hooks, ...outside } = process.env;
    const searchPath = `${bin}${path.delimiter}${process.env.PATH}`;
    const { status } = spawnSync(compiler, ['-b', path.join(root, home)], {
      stdio: ['ignore', 2, 2],
      env: { ...outside, PATH: searchPath },
    });
    if (status !== 0) process.exit(status ?? 1);
    utimesSync(stamp, new Date(), new Date());
  }
  const pinned = path.join(bin, 'node');
  const child = spawn(existsSync(pinned) ? pinned : process.execPath, [...flags, main, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...env, ...process.env },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? ended(signal)));
}
