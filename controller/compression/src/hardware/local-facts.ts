import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { MatchFacts } from './match.js';

/** Reads what matching needs about the machine under `root`; what cannot be read is absent, never guessed. */
export async function readLocalFacts(
  root = '/',
  arch: string = process.arch,
): Promise<MatchFacts & { cpuModel: string }> {
  const read = (file: string) => readFile(path.join(root, file), 'utf8').catch(() => '');
  const cpuinfo = await read('proc/cpuinfo');
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'mi').exec(cpuinfo)?.[1]?.trim() ?? '';
  const compatible = (await read('proc/device-tree/compatible')).split('\0').filter(Boolean);
  return {
    arch: arch === 'arm64' ? 'arm64' : 'x64',
    // x86 says "flags", arm64 says "Features"
    cpu: {
      features: field(arch === 'arm64' ? 'features' : 'flags')
        .split(/\s+/)
        .filter(Boolean),
    },
    board: { compatible },
    cpuModel: field('model name') || 'unknown',
  };
}
