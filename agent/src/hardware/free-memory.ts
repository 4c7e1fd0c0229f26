/** Memory that this process may still take: what the machine has, and what its cgroups leave [cgroup-v2, memory.current]. */
import { cgroupFolders } from './cpu.js';
import { FactRoot } from './root.js';

/** Page cache that the kernel gives up before it kills for memory counts as free. */
function cacheOf(root: FactRoot, folder: string): number {
  const stat = root.read(`${folder}/memory.stat`) ?? '';
  return Number(/^(?:total_)?inactive_file (\d+)/m.exec(stat)?.[1] ?? 0);
}

function leftIn(root: FactRoot, folder: string): number {
  const number = (...names: readonly string[]): number | null =>
    names.map((name) => root.number(`${folder}/${name}`)).find((value) => value !== null) ?? null;
  const limit = number('memory.max', 'memory.limit_in_bytes');
  const used = number('memory.current', 'memory.usage_in_bytes');
  return limit === null || used === null ? Number.POSITIVE_INFINITY : limit - used + cacheOf(root, folder);
}

/** Bytes; infinite where the system does not tell. */
export function freeMemory(root: FactRoot = new FactRoot('/')): number {
  const available = /^MemAvailable:\s*(\d+) kB/m.exec(root.read('proc/meminfo') ?? '')?.[1];
  const machine = available ? Number(available) * 1024 : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(machine, ...cgroupFolders(root, 'memory').map((folder) => leftIn(root, folder))));
}
