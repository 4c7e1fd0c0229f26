/** LiteRT's library with the package that calls it: optional, beside the agent or not there at all. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { RuntimeUnavailable } from '../../errors.js';

/** What is used of koffi [koffi.dev]. */
export interface Koffi {
  load(file: string): {
    func(declaration: string): (...args: unknown[]) => unknown;
    symbol(name: string, type: string): unknown;
  };
  address(value: unknown): bigint;
}

export interface LiteRt {
  readonly koffi: Koffi;
  readonly file: string;
}

/** Where `npm install koffi` and libLiteRt.so lie; ESPALIER_LITERT names another folder. */
export const DEFAULT_FOLDER = '/usr/lib/espalier-litert';
const FILE = 'libLiteRt.so';

/**
 * The C interface changes between versions without a sign: arguments shift. So only these are called, by SHA-256 of the file
 * in the wheel ai-edge-litert 2.3.0.
 */
const ACCEPTED: Readonly<Record<string, string>> = {
  x64: 'eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb',
  arm64: 'b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b',
};

/** Why a CPU cannot run the library, in words; null when it can. On arm64 it dies without dot product. @param cpuinfo of /proc */
export function cpuLacks(arch: string, cpuinfo: string): string | null {
  if (arch === 'x64') return null;
  if (arch !== 'arm64') return `there is no library for ${arch}`;
  const features = cpuinfo.match(/^Features\s*:.*$/gm) ?? [];
  return features.length > 0 && features.every((line) => /\basimddp\b/.test(line)) ? null : 'the CPU lacks dot product';
}

/** Version of the wheel; the library does not say its own. */
const VERSION = '2.3.0';

/** The library's file. @throws ESP_RUNTIME_UNAVAILABLE saying what is missing */
function locate(folder: string, arch: string): string {
  const missing = (cause: string) => RuntimeUnavailable({ runtime: 'LiteRT', cause });
  const lack = cpuLacks(arch, existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '');
  if (lack) throw missing(lack);
  const file = path.join(folder, FILE);
  if (!existsSync(file)) throw missing(`${file} is not there`);
  if (createHash('sha256').update(readFileSync(file)).digest('hex') !== ACCEPTED[arch])
    throw missing(`${file} is not the library of ai-edge-litert ${VERSION} for ${arch}`);
  return file;
}

const folderOf = (): string => process.env.ESPALIER_LITERT ?? DEFAULT_FOLDER;

/** @throws ESP_RUNTIME_UNAVAILABLE saying what is missing */
export function findLiteRt(folder = folderOf(), arch: string = process.arch): LiteRt {
  const file = locate(folder, arch);
  try {
    return { koffi: createRequire(path.join(folder, 'node_modules', 'x'))('koffi') as Koffi, file };
  } catch (error) {
    const cause = `koffi cannot be loaded from ${folder} (${(error as NodeJS.ErrnoException).code})`;
    throw RuntimeUnavailable({ runtime: 'LiteRT', cause });
  }
}

/** Version of the LiteRT on this device, or null without one. Loads nothing: only a process of its own does. */
export function liteRtVersion(folder = folderOf()): string | null {
  try {
    locate(folder, process.arch);
    return existsSync(path.join(folder, 'node_modules', 'koffi')) ? VERSION : null;
  } catch {
    return null;
  }
}
