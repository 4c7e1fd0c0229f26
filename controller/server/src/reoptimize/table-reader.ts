import { Injectable } from '@nestjs/common';
import type { DeviceTable } from '../timing/tables.js';
import { Tables } from '../timing/tables.js';
import type { LoopTable } from './loop.types.js';
import type { Trials } from './read-loop-input.js';

/** A latency table as the pure decision reads it. */
@Injectable()
export class TableReader {
  constructor(private readonly tables: Tables) {}

  /** Whether devices were asked to try builds, by variant. */
  async trials(modelId: string, profile: string): Promise<Trials> {
    const plans = (await this.tables.trials(modelId, profile)).toReversed();
    return new Map(plans.map(({ variantId, state }) => [variantId!, state === 'failed' ? 'failed' : 'open']));
  }

  async read(modelId: string, profile: string): Promise<LoopTable> {
    const open = await this.tables.underWay(modelId, profile);
    const latest = await this.tables.latest(modelId, profile);
    const measuredAtMs = latest?.plan.endedAt?.getTime() ?? null;
    const narrowestUs = latest ? narrowestUsOf(latest) : null;
    if (open) {
      const reason = open.state === 'planning' ? 'its networks are being made' : 'devices measure when they are idle';
      return { state: 'measuring', reason, narrowestUs, measuredAtMs };
    }
    if (!latest) return { state: 'absent', reason: '', narrowestUs: null, measuredAtMs: null };
    const { stale } = latest;
    return { state: stale === null ? 'measured' : 'stale', reason: stale ?? '', narrowestUs, measuredAtMs };
  }
}

/** What the narrowest network of the plan takes, in microseconds. */
export function narrowestUsOf({ merged: { anchorUs, rows } }: DeviceTable): number {
  const saved = rows.reduce(
    (sum, { usPerWork, points }) => sum + usPerWork * (points[0]!.work - points.at(-1)!.work),
    0,
  );
  return Math.max(0, anchorUs - saved);
}
