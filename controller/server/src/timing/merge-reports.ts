/** Many devices' times of one plan as one latency table. Pure. */
import { rowsOfTimes } from '@espalier/compression/latency/plan';
import type { LatencyTable, NetworkTimes, RuntimeKey } from '@espalier/proto';
import type { PlanNetwork } from './timing.entity.js';

export interface DeviceTimes {
  readonly deviceId: string;
  readonly networks: readonly NetworkTimes[];
  readonly runtime: RuntimeKey;
}

export interface LeftOut {
  readonly deviceId: string;
  readonly reason: string;
}

export interface Merged {
  readonly anchorUs: number;
  readonly rows: LatencyTable['rows'];
  readonly runtime: RuntimeKey;
  readonly devices: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** So many times the median of the others, or one such part of it, is a device that is not like them. */
const OUTLIER_FACTOR = 2.5;
/** Multiply-accumulates that no core of a device does in a microsecond: 1,024 int8 a cycle at 6 GHz. */
const MACS_PER_US_MAX = 1024 * 6000;
/** Of the plain latency, what the times of all operators may add up to; the profiler adds a fifth. */
const PARTS = { min: 0.3, max: 2 };
/** The share of devices that are at most as slow as the table says. */
const DECILE = 0.9;

/**
 * One table of the devices that agree: of one processor, runtime and power mode, without those whose figures cannot be.
 * @param networks of the plan, the whole one first
 * @returns null when no device is left
 */
export function mergeReports(networks: readonly PlanNetwork[], all: readonly DeviceTimes[]): Merged | null {
  const physical = sift(all, (one) => impossible(networks, one));
  const [key, alike] = largestGroup(physical.kept);
  const keyed = sift(physical.kept, (one) => (alike.includes(one) ? null : otherKey(one.runtime, key)));
  const honest = sift(keyed.kept, (one) => unlike(one, keyed.kept));
  const leftOut = [...physical.out, ...keyed.out, ...honest.out];
  if (honest.kept.length === 0 || key === null) return null;
  const plainUs = (sha256: string): number => decile(honest.kept.map((one) => timesOf(one, sha256)!.p50Us));
  const timed = networks.map(({ sha256, works }) => ({
    ...{ works, times: decileTimes(honest.kept, sha256), plainUs: plainUs(sha256) },
  }));
  const whole = networks[0]!.sha256;
  const rows = rowsOfTimes(timed).map((row) => ({ ...row, ...spreadOf(honest.kept, whole, row.node) }));
  return {
    ...{ anchorUs: plainUs(whole), rows, runtime: key, leftOut },
    devices: honest.kept.map(({ deviceId }) => deviceId),
  };
}

const timesOf = ({ networks }: DeviceTimes, sha256: string): NetworkTimes | undefined =>
  networks.find((one) => one.sha256 === sha256);

/** The value that nine of ten stay at or below: the slowest of a few. */
export function decile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(DECILE * sorted.length) - 1)]!;
}

function sift(all: readonly DeviceTimes[], judge: (one: DeviceTimes) => string | null) {
  const judged = all.map((one) => ({ one, reason: judge(one) }));
  return {
    kept: judged.filter(({ reason }) => reason === null).map(({ one }) => one),
    out: judged.flatMap(({ one, reason }) => (reason === null ? [] : [{ deviceId: one.deviceId, reason }])),
  };
}

/** What no device can measure, or null. */
function impossible(networks: readonly PlanNetwork[], device: DeviceTimes): string | null {
  for (const { sha256, works } of networks) {
    const times = timesOf(device, sha256);
    if (!times) return 'it did not time every network';
    const macs = Object.values(works).reduce((sum, { op, work }) => sum + (WEIGHTED.has(op) ? work : 0), 0);
    if (times.p50Us < macs / MACS_PER_US_MAX) return `${round(times.p50Us)} us is less than its work can take`;
    const parts = Object.values(times.nodes).reduce((sum, us) => sum + us, 0) / times.p50Us;
    if (parts < PARTS.min || parts > PARTS.max) return `its operators add up to ${round(parts)} times its latency`;
  }
  return null;
}

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
const keyOf = ({ soc, adapter, version, optionsDigest, powerMode }: RuntimeKey): string =>
  JSON.stringify([soc, adapter, version, optionsDigest, powerMode]);

function largestGroup(all: readonly DeviceTimes[]): [RuntimeKey | null, readonly DeviceTimes[]] {
  const groups = [...Map.groupBy(all, ({ runtime }) => keyOf(runtime)).values()];
  const largest = groups.toSorted((a, b) => b.length - a.length)[0] ?? [];
  return [largest[0]?.runtime ?? null, largest];
}

/** What of the key differs, in words. */
export function otherKey(found: RuntimeKey, wanted: RuntimeKey | null): string {
  if (wanted === null) return 'there is no other';
  const differences = (['soc', 'adapter', 'version', 'optionsDigest', 'powerMode'] as const)
    .filter((name) => found[name] !== wanted[name])
    .map((name) => `${NAMES[name]} ${found[name] ?? 'unknown'} instead of ${wanted[name] ?? 'unknown'}`);
  return differences.join(', ');
}

const NAMES = {
  ...{ soc: 'processor', adapter: 'runtime', version: 'runtime version', optionsDigest: 'session options' },
  powerMode: 'power mode',
} as const;

/** With three or more devices, one that is far from the median cannot be told from one that lies. */
function unlike(device: DeviceTimes, all: readonly DeviceTimes[]): string | null {
  if (all.length < 3) return null;
  for (const { sha256, p50Us } of device.networks) {
    const others = all.flatMap((one) => timesOf(one, sha256)?.p50Us ?? []).sort((a, b) => a - b);
    const median = others[Math.floor((others.length - 1) / 2)]!;
    const factor = p50Us / median;
    if (factor > OUTLIER_FACTOR || factor < 1 / OUTLIER_FACTOR)
      return `${round(p50Us)} us is ${round(factor)} times the median of the profile`;
  }
  return null;
}

/** The worst decile of each operator that every device timed. */
function decileTimes(devices: readonly DeviceTimes[], sha256: string): Map<string, number> {
  const all = devices.map((device) => timesOf(device, sha256)!.nodes);
  const names = Object.keys(all[0]!).filter((name) => all.every((nodes) => nodes[name] !== undefined));
  return new Map(names.map((name) => [name, decile(all.map((nodes) => nodes[name]!))]));
}

function spreadOf(devices: readonly DeviceTimes[], sha256: string, node: string): { spread?: number } {
  const values = devices.map((device) => timesOf(device, sha256)!.nodes[node]!);
  const least = Math.min(...values);
  return devices.length < 2 || least <= 0 ? {} : { spread: Math.max(...values) / least };
}

const round = (value: number): number => Number(value.toPrecision(3));
