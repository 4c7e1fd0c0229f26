import type { WindowClass } from '@espalier/proto';
import type { MeasuredLatency } from '@espalier/proto/api';

/** One device's latency with one artifact. Microseconds. `class` is that of the window the figures come from. */
export interface DeviceLatency {
  readonly deviceId: string;
  readonly profile: string | null;
  readonly digest: string;
  readonly p50Us: number;
  readonly p95Us: number | null;
  readonly p99Us: number | null;
  readonly n: number;
  readonly class: WindowClass;
  readonly measuredAt: Date;
}

export interface LatencyWindow {
  readonly deviceId: string;
  readonly profile: string | null;
  readonly digest: string;
  readonly endedAt: Date;
  readonly n: number;
  readonly p50Us: number;
  readonly p95Us: number | null;
  readonly p99Us: number | null;
  readonly class: WindowClass;
}

/** Best first. */
const CLASSES: readonly WindowClass[] = ['clean', 'contended', 'throttled', 'unstable'];
const worse = (a: WindowClass, b: WindowClass): WindowClass => (CLASSES.indexOf(a) > CLASSES.indexOf(b) ? a : b);

/**
 * One figure for each (device, digest): its newest window of the best class, among those with a p95 if any has one.
 * A device's own figure is never an average of windows: a percentile of a mixture is not the mixture of percentiles.
 */
export function summarizeDevices(windows: readonly LatencyWindow[]): DeviceLatency[] {
  const groups = Map.groupBy(windows, (window) => `${window.deviceId} ${window.digest}`);
  return [...groups.values()].map((group) => {
    const [best] = group.toSorted(
      (a, b) =>
        Number(b.p95Us !== null) - Number(a.p95Us !== null) ||
        CLASSES.indexOf(a.class) - CLASSES.indexOf(b.class) ||
        b.endedAt.getTime() - a.endedAt.getTime(),
    );
    const { deviceId, profile, digest, p50Us, p95Us, p99Us, n, class: kind, endedAt } = best!;
    return { deviceId, profile, digest, p50Us, p95Us, p99Us, n, class: kind, measuredAt: endedAt };
  });
}

/**
 * Many devices in one line: the median device's p50, the worst device's p95 and p99 (a budget must hold on each),
 * n summed, the worst class, the oldest time. null without devices.
 */
export function summarizeFleet(devices: readonly DeviceLatency[]): MeasuredLatency | null {
  if (devices.length === 0) return null;
  const p50s = devices.map(({ p50Us }) => p50Us).sort((a, b) => a - b);
  const highest = (values: readonly (number | null)[]): number | null =>
    values.some((value) => value === null) ? null : Math.max(...(values as number[]));
  return {
    p50Us: p50s[Math.floor((p50s.length - 1) / 2)]!,
    p95Us: highest(devices.map(({ p95Us }) => p95Us)),
    p99Us: highest(devices.map(({ p99Us }) => p99Us)),
    n: devices.reduce((sum, { n }) => sum + n, 0),
    devices: devices.length,
    class: devices.map((device) => device.class).reduce(worse),
    measuredAt: new Date(Math.min(...devices.map(({ measuredAt }) => measuredAt.getTime()))).toISOString(),
  };
}
