/** What else went on while a window was measured: foreign CPU, pressure, heat. Read from /proc and /sys directly. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { WindowClass } from '@espalier/proto';

export interface Conditions {
  readonly atMs: number;
  /** CPU seconds of the whole machine that were not idle, and how many of them were stolen by the host. */
  readonly busyS: number;
  readonly stealS: number;
  readonly ownS: number;
  /** Microseconds in which some task waited for a CPU [PSI]; null on kernels without it. */
  readonly pressureUs: number | null;
  readonly throttles: number | null;
  readonly temperatureC: number | null;
}

const HZ = 100;
const read = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
};

function temperature(root: string): number | null {
  let highest: number | null = null;
  const folder = path.join(root, 'sys/class/thermal');
  let zones: string[] = [];
  try {
    zones = readdirSync(folder).filter((name) => name.startsWith('thermal_zone'));
  } catch {
    return null;
  }
  for (const zone of zones) {
    const milli = Number(read(path.join(folder, zone, 'temp')));
    if (Number.isFinite(milli) && milli > 0) highest = Math.max(highest ?? 0, milli / 1000);
  }
  return highest;
}

function throttles(root: string): number | null {
  const text = read(path.join(root, 'sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count'));
  return text === null ? null : Number(text);
}

export function readConditions(root = '/', nowMs = performance.now()): Conditions {
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(read(path.join(root, 'proc/stat')) ?? '')?.[1] ?? ''
  )
    .split(' ')
    .map(Number);
  const own = process.cpuUsage();
  const some = /^some .*total=(\d+)/m.exec(read(path.join(root, 'proc/pressure/cpu')) ?? '')?.[1];
  return {
    atMs: nowMs,
    busyS: (user + nice + system + irq + soft + steal) / HZ,
    stealS: steal / HZ,
    ownS: (own.user + own.system) / 1e6,
    pressureUs: some ? Number(some) : null,
    throttles: throttles(root),
    temperatureC: temperature(root),
  };
}

/** CPUs kept busy by others, above which a window is contended. */
const FOREIGN_CPUS = 0.25;
const STEAL_SHARE = 0.05;

/** The class of a window between two readings. `steady`: its parts agreed with each other. Pure. */
export function classify(before: Conditions, after: Conditions, steady: { p50: boolean; p95: boolean }): WindowClass {
  if (before.throttles !== null && after.throttles !== null && after.throttles > before.throttles) return 'throttled';
  if (!steady.p50) return 'unstable';
  const seconds = Math.max(0.01, (after.atMs - before.atMs) / 1000);
  const foreign = (after.busyS - before.busyS - (after.ownS - before.ownS)) / seconds;
  const stolen = (after.stealS - before.stealS) / seconds;
  return foreign > FOREIGN_CPUS || stolen > STEAL_SHARE || !steady.p95 ? 'contended' : 'clean';
}
