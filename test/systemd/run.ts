/** `npm run test:systemd`: the agent's package in a booted systemd: installed, upgraded, removed, purged. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildDeb } from '../../deploy/package/build-deb.ts';
import { Checks } from '../support/checks.ts';
import { debianRoot, labCache } from '../support/lab-cache.ts';
import { until } from '../support/process.ts';

const checks = new Checks();
const absent = ['mmdebstrap', 'systemd-nspawn', 'nsenter', 'pgrep', 'dpkg-deb'].find(
  (tool) => spawnSync(tool, ['--version']).error,
);
if (process.getuid?.() !== 0) checks.skip('the systemd laboratory', 'booting a system needs root');
else if (absent) checks.skip('the systemd laboratory', `${absent} is not installed`);
else {
  const packages = mkdtempSync(path.join(os.tmpdir(), 'espalier-systemd-'));
  const build = (versionSuffix: string) =>
    buildDeb({ arch: 'amd64', outDir: packages, release: false, versionSuffix, cacheDir: labCache });
  const inside = [await build(''), await build('2')].map((file) => `/pkg/${path.basename(file)}`);
  const root = debianRoot({
    name: 'systemd-1',
    mmdebstrap: ['--variant=minbase', '--include=systemd,systemd-sysv,dbus'],
  });
  // nspawn refuses a /run on a disk file system, so it gets its own in a private mount namespace.
  const boot = `mount -t tmpfs tmpfs /run && exec systemd-nspawn -q -D "$0" -b --volatile=overlay --bind-ro="$1":/pkg --private-network --resolv-conf=off --timezone=off --link-journal=no --register=no --keep-unit --console=passive`;
  const nspawn = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', boot, root, packages], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => nspawn.once('close', resolve));
  try {
    const pid = await until('the system to boot', async () => {
      const leader = spawnSync('pgrep', ['-P', String(nspawn.pid), '-x', 'systemd'], {
        encoding: 'utf8',
      }).stdout.trim();
      if (!leader) return null;
      const state = spawnSync('nsenter', ['-t', leader, '-a', 'systemctl', 'is-system-running'], { encoding: 'utf8' });
      return /running|degraded/.test(state.stdout) ? leader : null;
    });
    const sh = (script: string): string =>
      execFileSync('nsenter', ['-t', pid, '-a', 'sh', '-ec', script], { encoding: 'utf8', stdio: 'pipe' });
    await checks.check(
      'installs, and is enabled',
      () => sh(`dpkg -i ${inside[0]} && systemctl is-enabled -q espalier-agent`) && undefined,
    );
    await checks.check(
      'waits for an enrolment instead of failing again and again',
      () =>
        sh(
          'systemctl start espalier-agent; test "$(systemctl show -P ConditionResult espalier-agent)" = no; ! systemctl is-failed -q espalier-agent',
        ) && undefined,
    );
    await checks.check('the packaged runtime starts', () => sh('espalier-agent facts | grep -q x64') && undefined);
    await checks.check(
      'an upgrade keeps the state',
      () => sh(`touch /var/lib/espalier/kept; dpkg -i ${inside[1]}; test -e /var/lib/espalier/kept`) && undefined,
    );
    await checks.check(
      'removal keeps state and configuration',
      () => sh('dpkg -r espalier-agent; test -e /var/lib/espalier/kept; test -e /etc/espalier/agent.yaml') && undefined,
    );
    await checks.check(
      'purging leaves nothing',
      () => sh('dpkg -P espalier-agent; test ! -e /var/lib/espalier; test ! -e /etc/espalier') && undefined,
    );
  } finally {
    nspawn.kill('SIGTERM');
    await ended;
    rmSync(packages, { recursive: true, force: true });
  }
}
checks.finish();
