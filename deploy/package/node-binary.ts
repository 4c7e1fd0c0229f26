import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { NodeUnavailable } from './errors.ts';

/** Node's name of a processor architecture. */
export type Arch = 'x64' | 'arm64';

export interface NodeBinary {
  readonly file: string;
  readonly license: string;
  readonly version: string;
}

interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
}

/**
 * The pinned Node for an architecture: what npm installed for this machine, else the same version's package for the
 * other one, fetched once into `cache` and held to the lockfile's SHA-512.
 * @throws ESP_NODE_UNAVAILABLE when it cannot be fetched or is not what the lockfile says.
 */
export function nodeBinary(root: string, arch: Arch, cache: string): NodeBinary {
  const name = `node-linux-${arch}`;
  const installed = path.join(root, 'node_modules', name);
  const locked = lockedPackage(root, name);
  if (existsSync(path.join(installed, 'bin', 'node'))) return inFolder(installed, locked.version);
  const fetched = path.join(cache, `${name}-${locked.version}`);
  if (!existsSync(fetched)) fetchPackage(name, locked, fetched);
  return inFolder(fetched, locked.version);
}

const inFolder = (folder: string, version: string): NodeBinary => ({
  file: path.join(folder, 'bin', 'node'),
  license: path.join(folder, 'LICENSE'),
  version,
});

function lockedPackage(root: string, name: string): LockedPackage {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage | undefined>;
  };
  const locked = lock.packages[`node_modules/${name}`];
  if (!locked) throw NodeUnavailable({ name, reason: 'the lockfile does not have it.' });
  return locked;
}

function fetchPackage(name: string, { version, integrity }: LockedPackage, target: string): void {
  mkdirSync(path.dirname(target), { recursive: true });
  const scratch = mkdtempSync(`${target}-`);
  try {
    const args = ['pack', `${name}@${version}`, '--silent', '--pack-destination', scratch];
    const tarball = path.join(scratch, execFileSync('npm', args, { cwd: scratch, encoding: 'utf8' }).trim());
    const digest = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (digest !== integrity) throw new Error(`the archive is ${digest}, the lockfile says ${integrity}`);
    execFileSync('tar', ['-xzf', tarball, '-C', scratch, 'package/bin/node', 'package/LICENSE']);
    renameSync(path.join(scratch, 'package'), target);
  } catch (error) {
    throw NodeUnavailable({ name, reason: error instanceof Error ? error.message : String(error) }, { cause: error });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
