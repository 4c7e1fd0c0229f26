/** What the laboratories fetch once and keep outside the checkout: root file systems and programs of other systems. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const labCache = process.env.ESPALIER_LAB_CACHE ?? path.join(os.homedir(), '.cache', 'espalier-lab');

export interface RootPlan {
  /** Folder below the cache. Give it a new name when the plan changes. */
  readonly name: string;
  readonly mmdebstrap: readonly string[];
}

const SUITE = 'bookworm';

/**
 * A Debian root file system, made by mmdebstrap on first use. The folder appears whole or not at all. Device nodes are
 * left out: a container makes its own, and unpacking them needs rights that root in a container may not have.
 */
export function debianRoot({ name, mmdebstrap }: RootPlan): string {
  const target = path.join(labCache, name);
  if (existsSync(target)) return target;
  mkdirSync(labCache, { recursive: true });
  const scratch = mkdtempSync(`${target}-`);
  try {
    process.stderr.write(`Fetching Debian ${SUITE} for the laboratory, once, into ${target} ...\n`);
    const archive = path.join(scratch, 'root.tar');
    command('mmdebstrap', [...mmdebstrap, '--quiet', SUITE, archive]);
    const root = path.join(scratch, 'root');
    mkdirSync(root, { mode: 0o755 });
    command('tar', ['-xf', archive, '-C', root, '--exclude=./dev/*']);
    renameSync(root, target);
    return target;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function command(program: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${program} failed: ${error?.message ?? stdout + stderr}`);
}
