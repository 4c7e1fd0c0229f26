/** Whether a network may be timed now, and which. Pure. */
import type { NetworkTimes, TimingRequest } from '@espalier/proto';

export interface TimingFacts {
  /** What the device is doing for others. */
  readonly updating: boolean;
  readonly lastRequestMs: number;
  readonly done: ReadonlyMap<string, NetworkTimes>;
  /** Windows that did not count, of all networks. */
  readonly tries: number;
  /** Time that was spent on the order. */
  readonly spentMs: number;
}

export type TimingStep =
  | { readonly kind: 'time'; readonly sha256: string; readonly bytes: number; readonly profiled: boolean }
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'finish'; readonly problem: string | null };

/** Milliseconds without a request, after which a device has nothing to do. */
const QUIET_MS = 5000;
/** Windows that others disturbed, in one order, before it is given up. */
const TRIES_MAX = 24;

export function nextTiming(request: TimingRequest, facts: TimingFacts, nowMs: number): TimingStep {
  const left = request.networks.find(({ sha256 }) => !facts.done.has(sha256));
  if (!left) return { kind: 'finish', problem: null };
  if (nowMs >= Date.parse(request.expiresAt)) return { kind: 'finish', problem: 'it expired' };
  if (facts.spentMs >= request.limitS * 1000)
    return { kind: 'finish', problem: `its ${request.limitS} s of this device are spent` };
  if (facts.tries >= TRIES_MAX)
    return { kind: 'finish', problem: `${facts.tries} windows were none of ${request.classes.join(', ')}` };
  if (facts.updating) return { kind: 'wait', reason: 'an update is under way' };
  if (nowMs - facts.lastRequestMs < QUIET_MS) return { kind: 'wait', reason: 'the model answers requests' };
  return { kind: 'time', ...left };
}
