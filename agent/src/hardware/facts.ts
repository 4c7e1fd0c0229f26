import { execFileSync } from 'node:child_process';
import os from 'node:os';
import type { Facts } from '@espalier/proto';
import { runtimesHere } from '../runtime/others.js';
import { AGENT_VERSION } from '../version.js';
import { readAccelerators, readBoard, readContainer, readIdentity, readOs, readSoc } from './board.js';
import { readCpu, readMemory } from './cpu.js';
import { FactRoot } from './root.js';

/** Page size by getconf(1), or null where that is missing: 16 KiB on a Pi 5 matters to what can be mapped. */
function pageSize(root: string): number | null {
  if (root !== '/') return null;
  try {
    return (
      Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) || null
    );
  } catch {
    return null;
  }
}

const archOf = (root: FactRoot): Facts['arch'] => {
  if (root.root === '/') return process.arch === 'arm64' ? 'arm64' : 'x64';
  return /^CPU implementer/m.test(root.read('proc/cpuinfo') ?? '') ? 'arm64' : 'x64';
};

/**
 * Everything the agent knows about its machine; facts, no judgement. Never throws: what cannot be read is null.
 * @param root the folder to read below: `/`, or a fixture's
 */
export function readFacts(root = '/'): Facts {
  const below = new FactRoot(root);
  const board = readBoard(below);
  return {
    version: 1,
    arch: archOf(below),
    hostname: below.read('etc/hostname', 'hostname') ?? os.hostname(),
    os: readOs(below),
    board,
    soc: readSoc(board.compatible),
    cpu: readCpu(below),
    memory: readMemory(below, pageSize(root)),
    accelerators: readAccelerators(below),
    runtimes: runtimesHere(),
    container: readContainer(below),
    ...readIdentity(below),
    agentVersion: AGENT_VERSION,
    sources: below.sources,
  };
}
