/** What measured windows say about a budget. Pure. */
import type { WindowClass } from '@espalier/proto';
import type { LoopDevice, LoopInput, LoopPolicy, LoopWindow } from './loop.types.js';

/** One device's word: the best of its newest trusted windows, so that one disturbed window accuses nobody. */
interface Word {
  readonly id: string;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly n: number;
}

export interface Evidence {
  /** p95 of the worst device that counts. */
  readonly p95Us: number;
  readonly n: number;
  /** Devices that miss the budget by more than the noise, of those that were measured. */
  readonly missing: number;
  readonly measured: number;
  readonly needed: number;
  /** Devices whose figures are unlike those of the others; they are left out. */
  readonly quarantined: readonly string[];
}

/** What the devices measured of what they serve, or what is still waited for. */
export function weigh(input: LoopInput, now: number): Evidence | string {
  const { devices, budget, limits } = input;
  if (devices.length === 0) return 'no device of this profile serves the model';
  const words = devices.flatMap((device) => wordOf(device, input, now) ?? []);
  if (words.length === 0) return whatIsMissing(input, now);
  const { kept, quarantined } = withoutOutliers(words, limits.outlierFactor);
  const limit = (budget.p95Us ?? Number.POSITIVE_INFINITY) * limits.hysteresis;
  const missing = kept.filter(({ p95Us }) => p95Us > limit);
  const worst = (missing.length > 0 ? missing : kept).toSorted((a, b) => b.p95Us - a.p95Us)[0]!;
  return {
    ...{ p95Us: worst.p95Us, n: kept.reduce((sum, { n }) => sum + n, 0) },
    ...{ missing: missing.length, measured: kept.length, quarantined },
    // One device alone can be wrong without anybody noticing, so it decides only where there is no other.
    needed: Math.max(Math.min(2, devices.length), Math.ceil(limits.deviceShare * kept.length)),
  };
}

/** Windows that may decide: trusted, recent, and long enough for a p95. Newest first. */
export function trustedWindows(windows: readonly LoopWindow[], input: LoopInput, now: number): LoopWindow[] {
  const { limits, policy } = input;
  return windows.filter(
    (window) =>
      window.p95Us !== null &&
      now - window.endedAtMs <= limits.freshMs &&
      trustedClasses(policy).includes(window.class),
  );
}

const trustedClasses = ({ contended }: LoopPolicy): readonly WindowClass[] =>
  contended ? ['clean', 'contended'] : ['clean'];

function wordOf({ id, windows }: LoopDevice, input: LoopInput, now: number): Word | null {
  const { samplesMin, windowsMin } = input.limits;
  const newest = trustedWindows(windows, input, now).slice(0, windowsMin);
  const n = newest.reduce((sum, window) => sum + window.n, 0);
  if (newest.length < windowsMin || n < samplesMin) return null;
  return {
    ...{ id, n },
    p50Us: Math.min(...newest.map(({ p50Us }) => p50Us)),
    p95Us: Math.min(...newest.map(({ p95Us }) => p95Us ?? Number.POSITIVE_INFINITY)),
  };
}

/** With three or more devices, one that is far from the median of them all cannot be told from one that lies. */
function withoutOutliers(words: readonly Word[], factor: number): { kept: readonly Word[]; quarantined: string[] } {
  if (words.length < 3) return { kept: words, quarantined: [] };
  const sorted = words.map(({ p50Us }) => p50Us).sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!;
  const isLike = ({ p50Us }: Word): boolean => p50Us <= median * factor && p50Us * factor >= median;
  return { kept: words.filter(isLike), quarantined: words.filter((word) => !isLike(word)).map(({ id }) => id) };
}

/** Why no device's windows count yet. */
function whatIsMissing(input: LoopInput, now: number): string {
  const { limits, devices, policy } = input;
  const all = devices.flatMap(({ windows }) => windows).filter(({ endedAtMs }) => now - endedAtMs <= limits.freshMs);
  if (all.length === 0) return 'nothing was measured in the last 24 hours';
  const trusted = Math.max(...devices.map(({ windows }) => trustedWindows(windows, input, now).length));
  if (trusted < limits.windowsMin) {
    const classes = trustedClasses(policy);
    const others = [...new Set(all.map((window) => window.class))].filter((name) => !classes.includes(name)).sort();
    const wanted = classes.join(' or ');
    const seen = others.length > 0 ? `; the rest were ${others.join(', ')}` : '';
    return `waits for ${limits.windowsMin} ${wanted} windows of a device, ${trusted} so far${seen}`;
  }
  const n = Math.max(
    ...devices.map((device) =>
      trustedWindows(device.windows, input, now)
        .slice(0, limits.windowsMin)
        .reduce((sum, window) => sum + window.n, 0),
    ),
  );
  return `${n} samples of a device so far, ${limits.samplesMin} needed`;
}
