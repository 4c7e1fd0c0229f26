/** CPU facts from /proc/cpuinfo, sysfs and cgroups [kernel ABI: cpu-feature-registers, sysfs-devices-system-cpu]. */
import type { Facts } from '@espalier/proto';
import type { FactRoot } from './root.js';

type Cpu = Facts['cpu'];

/** `key : value` lines of one processor block. */
const blocks = (text: string): Map<string, string>[] =>
  text.split(/\n\s*\n/).map(
    (block) =>
      new Map(
        block.split('\n').map((line) => {
          const at = line.indexOf(':');
          return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const;
        }),
      ),
  );

/** "0-3,8" -> [0, 1, 2, 3, 8] [cpuset(7), list format]. */
export function parseCpuList(text: string): number[] {
  return text
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}

function clusters(root: FactRoot, cores: number): Cpu['clusters'] {
  const groups = new Map<string, Cpu['clusters'][number]>();
  for (let cpu = 0; cpu < cores; cpu++) {
    const base = `sys/devices/system/cpu/cpu${cpu}`;
    const capacity = root.number(`${base}/cpu_capacity`, 'cpu.clusters');
    const kHz = root.number(`${base}/cpufreq/cpuinfo_max_freq`, 'cpu.clusters');
    const maxMhz = kHz === null ? null : kHz / 1000;
    const key = `${capacity}/${maxMhz}`;
    const known = groups.get(key);
    if (known) known.cpus.push(cpu);
    else groups.set(key, { cpus: [cpu], maxMhz, capacity });
  }
  return [...groups.values()];
}

/** The cgroup folders of this process from its own up to the root, for version 2 and the cpu controller of version 1. */
export function cgroupFolders(root: FactRoot, controller: string): string[] {
  const lines = (root.read('proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const unified = lines.find(([id]) => id === '0')?.[2];
  const legacy = lines.find(([, controllers]) => controllers?.split(',').includes(controller))?.[2];
  const up = (base: string, folder: string): string[] => {
    const parts = folder.split('/').filter(Boolean);
    return parts.map((_, index) => [base, ...parts.slice(0, parts.length - index)].join('/')).concat(base);
  };
  return [
    ...(unified ? up('sys/fs/cgroup', unified) : []),
    ...(legacy ? up(`sys/fs/cgroup/${controller}`, legacy) : []),
  ];
}

/** CPUs that the cgroup's quota allows, the smallest on the way up; null without one. */
function quota(root: FactRoot): number | null {
  const found: number[] = [];
  for (const folder of cgroupFolders(root, 'cpu')) {
    const [max, period] = (root.read(`${folder}/cpu.max`, 'cpu.quotaCpus') ?? '').split(' ');
    if (max && max !== 'max' && period) found.push(Number(max) / Number(period));
    const us = root.number(`${folder}/cpu.cfs_quota_us`, 'cpu.quotaCpus');
    const periodUs = root.number(`${folder}/cpu.cfs_period_us`);
    if (us && us > 0 && periodUs) found.push(us / periodUs);
  }
  return found.length > 0 ? Math.min(...found) : null;
}

export function readCpu(root: FactRoot): Cpu {
  const processors = blocks(root.read('proc/cpuinfo', 'cpu.features') ?? '').filter((block) => block.has('processor'));
  const first = processors[0];
  const cores = Math.max(1, processors.length);
  const features = new Set(
    processors.flatMap((block) => (block.get('flags') ?? block.get('Features') ?? '').split(' ')),
  );
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(root.read('proc/self/status', 'cpu.allowedCpus') ?? '')?.[1];
  return {
    model: first?.get('model name') ?? null,
    implementer: first?.get('CPU implementer') ?? first?.get('vendor_id') ?? null,
    parts: [...new Set(processors.flatMap((block) => block.get('CPU part') ?? []))],
    features: [...features].filter(Boolean),
    cores,
    quotaCpus: quota(root),
    allowedCpus: allowed ? parseCpuList(allowed).length : null,
    clusters: clusters(root, cores),
  };
}

/** Memory facts, with the cgroup's limit, the smallest on the way up [cgroup-v2, memory.max]. */
export function readMemory(root: FactRoot, pageSize: number | null): Facts['memory'] {
  const total = /^MemTotal:\s*(\d+) kB/m.exec(root.read('proc/meminfo', 'memory.totalBytes') ?? '')?.[1];
  const totalBytes = total ? Number(total) * 1024 : null;
  const limits = cgroupFolders(root, 'memory')
    .flatMap((folder) => [
      root.number(`${folder}/memory.max`, 'memory.limitBytes') ?? [],
      root.number(`${folder}/memory.limit_in_bytes`, 'memory.limitBytes') ?? [],
    ])
    .flat();
  const limit = Math.min(...limits, Number.POSITIVE_INFINITY);
  // Version 1 says "no limit" with a number near 2^63.
  return { totalBytes, limitBytes: totalBytes !== null && limit < totalBytes ? limit : null, pageSize };
}
