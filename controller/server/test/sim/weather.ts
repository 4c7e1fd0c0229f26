/** What simulated devices measure: the truth, and what noise, load, heat, cold and lies make of it. */
import type { LoopWindow } from '@espalier/server/reoptimize/loop.types';
import type { Random } from './random.ts';

const HOUR_MS = 3_600_000;

/** How a device lies: always the same wrong figure, or disturbed windows that it calls clean. */
export type Lie = 'none' | 'slow' | 'fast' | 'blind';

export interface Body {
  readonly id: string;
  /** Of the profile's latency; devices of one profile differ a little. */
  readonly pace: number;
  readonly lie: Lie;
  /** Share of its time that others keep it busy. */
  readonly load: number;
  readonly hot: boolean;
}

/** Two of ten devices may lie; the rest are as they are. */
export function makeBodies(random: Random, prefix: string, count: number): Body[] {
  const liars = count >= 5 ? Math.floor(random.between(0, 2)) : 0;
  return Array.from({ length: count }, (_, at) => ({
    ...{ id: `${prefix}-${at}`, pace: random.between(0.98, 1.02), load: random.pick([0.05, 0.3, 0.7]) },
    ...{ hot: random.chance(0.3), lie: at < liars ? random.pick<Lie>(['slow', 'fast', 'blind']) : ('none' as const) },
  }));
}

/** One window at a time of day. `trueP95Us`: of what the device serves, undisturbed. */
export function measure(random: Random, body: Body, trueP95Us: number, nowMs: number): LoopWindow {
  const hour = (nowMs / HOUR_MS) % 24;
  // A processor that starts a night cold clocks higher for a while.
  const cold = hour < 5 ? random.between(0.97, 1) : 1;
  const noise = Math.max(0.97, random.normal(1, 0.006));
  const disturbed = random.chance(body.load);
  const throttled = body.hot && hour > 12 && hour < 17;
  const factor = (disturbed ? random.between(1.1, 2.5) : 1) * (throttled ? random.between(1.3, 1.8) : 1);
  const told = { none: 1, slow: 8, fast: 0.05, blind: 1 }[body.lie];
  const p95 = trueP95Us * body.pace * cold * noise * factor * told;
  const seen = throttled ? 'throttled' : disturbed ? random.pick(['contended', 'unstable'] as const) : 'clean';
  return {
    ...{
      p95Us: Math.round(p95),
      p50Us: Math.round(p95 * 0.9),
      n: Math.round(random.between(120, 510)),
      endedAtMs: nowMs,
    },
    class: body.lie === 'none' ? seen : 'clean',
  };
}
