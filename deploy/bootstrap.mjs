/**
 * Brings a checkout to the point where a command can run: dependencies installed from the lockfile, packages built,
 * everything after that under the pinned Node. No dependencies of its own, and no syntax newer than Node 20, because
 * it runs before anything is installed. All of its own output goes to stderr: stdout belongs to the command.
 *
 *   node deploy/bootstrap.mjs COMMAND [arguments...]      COMMAND: a key of `commands` below
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const bin = path.join(root, 'node_modules', '.bin');
const cache = path.join(root, '.cache');
const INSTALL_BYTES = 1.5e9;

/** What each npm script runs once the checkout is ready: paths of programs for the pinned Node, from the root. */
const commands = {
  start: 'controller/server/bin/espalier-controller.mjs',
  test: 'deploy/test.mjs',
  build: null,
  'bench:models': 'test/bench/models.ts',
  'bench:training': 'test/bench/training.ts',
  claims: 'test/bench/claims.ts',
  'bench:loop': 'test/bench/loop.ts',
  'bench:codec': 'controller/compression/test/bench/codec.ts',
  'bench:compression': 'test/bench/compression.ts',
  'bench:serving': 'test/bench/serving.ts',
  'bench:frontier': 'test/bench/frontier.ts',
  'soak:serving': 'test/soak/serving.ts',
  'fuzz:models': 'controller/compression/test/fuzz/models.ts',
  'test:systemd': 'test/systemd/run.ts',
  'test:oracles': 'test/oracles/run.ts',
  'test:devices': 'test/devices/run.ts',
  'contract:generate': 'proto/scripts/generate.mjs',
  'contract:release': 'proto/scripts/release.mjs',
};

const say = (text) => process.stderr.write(`${text}\n`);

/** Ends with a coded error in the form that every Espalier program uses. */
function fail(code, message, action) {
  say(`${code}: ${message}\n  ${action}`);
  process.exit(1);
}

function checkNode() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) {
    fail(
      'ESP_NODE_TOO_OLD',
      `Node ${process.versions.node} cannot run Espalier.`,
      'Install Node 20 or newer; the exact version in use is then fetched by npm.',
    );
  }
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** One bootstrap at a time in a checkout: two `npm ci` in one tree destroy each other's work. Returns the release. */
async function lock() {
  const file = path.join(cache, 'bootstrap.lock');
  mkdirSync(cache, { recursive: true });
  for (let told = false; ; ) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      const release = () => rmSync(file, { force: true });
      process.once('exit', release);
      return release;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(existsSync(file) ? readFileSync(file, 'utf8') : 0);
    if (owner && !isAlive(owner)) rmSync(file, { force: true });
    else if (!told) {
      say(`Waiting for process ${owner}, which is installing or building in this checkout ...`);
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Runs a program to its end. Passes signals on, so that stopping us stops it; Ctrl-C in a terminal reaches it anyway. */
function run(command, args, { env = process.env, stdout = 'inherit' } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: ['inherit', stdout === 'stderr' ? 2 : 'inherit', 'inherit'],
    });
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    child.on('error', (error) =>
      fail('ESP_SPAWN_FAILED', `${command} did not start: ${error.message}.`, 'Check that the checkout is complete.'),
    );
    child.on('exit', (code, signal) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(name, forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

/** Installs exactly what the lockfile says, when it says something else than at the last installation. */
async function install() {
  const stamp = path.join(root, 'node_modules', '.espalier-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const { bavail, bsize } = statfsSync(root);
  if (bavail * bsize < INSTALL_BYTES) {
    fail(
      'ESP_DISK_FULL',
      `Installing needs about ${INSTALL_BYTES / 1e9} GB, ${((bavail * bsize) / 1e9).toFixed(1)} GB are free.`,
      `Free some space on the disk that holds ${root}.`,
    );
  }
  say('[1/3] Installing dependencies (first start, or the lockfile changed) ...');
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm]] : ['npm', []];
  const code = await run(command, [...args, 'ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdout: 'stderr',
  });
  if (code !== 0)
    fail(
      'ESP_INSTALL_FAILED',
      `npm ci ended with ${code}.`,
      'Its message stands above; a missing network or registry is the usual cause.',
    );
  writeFileSync(stamp, wanted);
}

/** tap keeps its plugin set in node_modules and must build it once, before the first test run [stack notes]. */
async function prepareTap(env) {
  const stamp = path.join(root, 'node_modules', '.espalier-tap');
  if (existsSync(stamp)) return;
  say('      Preparing the test runner ...');
  const code = await run(path.join(bin, 'tap'), ['build'], { env, stdout: 'stderr' });
  if (code !== 0) fail('ESP_TAP_BUILD_FAILED', `tap build ended with ${code}.`, 'Its message stands above.');
  writeFileSync(stamp, '');
}

async function build(env) {
  say('[2/3] Building (unchanged packages come from the cache) ...');
  const code = await run(path.join(bin, 'nx'), ['run-many', '-t', 'build', '--outputStyle=static'], {
    env,
    stdout: 'stderr',
  });
  if (code !== 0) fail('ESP_BUILD_FAILED', 'The build failed.', 'The compiler’s messages stand above.');
  // A build from the cache keeps the times of when it was made; the launchers compare times with the sources.
  for (const home of ['proto', 'agent', 'controller/compression', 'controller/server']) {
    const stamp = path.join(root, home, 'dist', '.tsbuildinfo');
    if (existsSync(stamp)) utimesSync(stamp, new Date(), new Date());
  }
}

const [command = '', ...rest] = process.argv.slice(2);
checkNode();
if (!(command in commands))
  fail('ESP_USAGE', `Unknown command "${command}".`, `Known: ${Object.keys(commands).join(', ')}.`);
const release = await lock();
await install();
const env = { ...process.env, PATH: bin + path.delimiter + process.env.PATH, NX_DAEMON: 'false' };
if (command === 'test') await prepareTap(env);
await build(env);
release();
const program = commands[command];
if (program) {
  const pinned = path.join(bin, 'node');
  say(`[3/3] ${program}`);
  process.exitCode = await run(existsSync(pinned) ? pinned : process.execPath, [program, ...rest], { env });
}
