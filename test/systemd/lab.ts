/** A Debian that boots with its own systemd, shares this process's network, and is gone afterwards. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { until } from '../support/process.ts';

const run = promisify(execFile);

export interface Lab {
  /** Runs a script as the system's root; rejects with its output when a command of it fails. */
  sh(script: string): Promise<string>;
  /** Powers the system off. */
  close(): Promise<void>;
}

export interface LabPlan {
  /** The root file system; it stays as it is, each boot writes into memory. */
  readonly root: string;
  /** Folders of this machine by their path inside, read-only. */
  readonly binds: Readonly<Record<string, string>>;
}

/** Boots the system and waits until it is up. A host without systemd is enough, hence --register=no. */
export async function bootLab({ root, binds }: LabPlan): Promise<Lab> {
  const mounts = Object.entries(binds).map(([inside, outside]) => `--bind-ro=${outside}:${inside}`);
  const nspawn = spawn(
    'systemd-nspawn',
    [
      ...['-q', '-D', root, '-b', '--volatile=overlay', ...mounts, '--resolv-conf=off', '--timezone=off'],
      ...['--link-journal=no', '--register=no', '--keep-unit', '--console=passive'],
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => nspawn.once('close', resolve));
  const close = async (): Promise<void> => {
    nspawn.kill('SIGTERM');
    await ended;
  };
  const answer = (program: string, args: readonly string[]): string =>
    spawnSync(program, args, { encoding: 'utf8' }).stdout.trim();
  try {
    const leader = await until('the system to boot', async () => {
      const pid = answer('pgrep', ['-P', String(nspawn.pid), '-x', 'systemd']);
      if (!pid) return null;
      return /running|degraded/.test(answer('nsenter', ['-t', pid, '-a', 'systemctl', 'is-system-running']))
        ? pid
        : null;
    });
    const sh = async (script: string): Promise<string> =>
      (await run('nsenter', ['-t', leader, '-a', 'sh', '-ec', script])).stdout.trim();
    return { sh, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One property of a unit, as `systemctl show` has it. */
export const property = (lab: Lab, unit: string, name: string): Promise<string> =>
  lab.sh(`systemctl show -P ${name} ${unit}`);

/** The exposure that `systemd-analyze security` sees, in words; rejects above 2.0, where its verdict ends to be "OK". */
export async function exposure(lab: Lab, unit: string): Promise<string> {
  const table = await lab.sh(`systemd-analyze security --no-pager --threshold=20 ${unit}`);
  return /exposure level .*: (.*?)\W*$/.exec(table)?.[1] ?? table;
}
