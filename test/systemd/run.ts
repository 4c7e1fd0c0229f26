/**
 * `npm run test:systemd`: controller and agent as services of a booted systemd. Here is what needs the network and the
 * file system of this machine; what follows runs in a network of its own, so that any port is free and nothing gets out.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildDeb } from '../../deploy/package/build-deb.ts';
import { Checks } from '../support/checks.ts';
import { debianRoot, labCache } from '../support/lab-cache.ts';

const TOOLS = ['mmdebstrap', 'systemd-nspawn', 'unshare', 'nsenter', 'pgrep', 'ip', 'dpkg-deb'];

function whatIsMissing(): string | null {
  if (process.getuid?.() !== 0) return 'booting a system needs root';
  const absent = TOOLS.find((tool) => spawnSync(tool, [tool === 'ip' ? '-V' : '--version']).error);
  return absent ? `${absent} is not installed` : null;
}

/** Runs the checks and resolves with their exit code. */
async function runBooted(packages: string): Promise<number> {
  const build = (versionSuffix: string) =>
    buildDeb({ arch: 'amd64', outDir: packages, release: false, versionSuffix, cacheDir: labCache });
  const debs = [await build(''), await build('2')];
  const root = debianRoot({
    name: 'systemd-1',
    mmdebstrap: ['--variant=minbase', '--include=systemd,systemd-sysv,dbus'],
  });
  // nspawn refuses a /run on a disk file system, so it gets its own in a private mount namespace.
  const enter = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
  const program = path.join(import.meta.dirname, 'booted.ts');
  const child = spawn(
    'unshare',
    [
      ...['--net', '--mount', '--propagation', 'private', 'sh', '-c', enter, 'sh'],
      ...[process.execPath, program, root, ...debs],
    ],
    { stdio: 'inherit' },
  );
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

const missing = whatIsMissing();
if (missing) {
  const checks = new Checks();
  checks.skip('the systemd laboratory', missing);
  checks.finish();
} else {
  const packages = mkdtempSync(path.join(os.tmpdir(), 'espalier-systemd-'));
  try {
    process.exitCode = await runBooted(packages);
  } finally {
    rmSync(packages, { recursive: true, force: true });
  }
}
