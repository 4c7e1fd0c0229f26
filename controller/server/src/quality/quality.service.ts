import { mergeSketches, type QualitySketch } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, LessThan } from 'typeorm';
import { Clock } from '../common/clock.js';
import { QualitySink } from '../devices/quality-sink.js';
import { VariantRepository } from '../variants/variant.repository.js';
import { type Drift, driftOf } from './drift.js';
import { QualityEntity } from './quality.entity.js';

const HOUR_MS = 3_600_000;
/** What counts as now: a day, so that night and day are both in it. */
const LOOKED_AT_MS = 24 * HOUR_MS;
const KEPT_MS = 30 * 24 * HOUR_MS;

/** What one build says on one device, or on all of a profile, beside its evaluation. */
export interface QualityNow {
  readonly variantId: string;
  readonly modelId: string;
  readonly profile: string;
  readonly digest: string;
  readonly deviceIds: readonly string[];
  readonly expected: QualitySketch;
  readonly seen: QualitySketch;
  readonly drift: Drift;
}

/** Keeps what devices tell of their models' answers, and holds it against the evaluation. */
@Injectable()
export class QualityService extends QualitySink {
  constructor(
    private readonly db: DataSource,
    private readonly variants: VariantRepository,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** Adds one window to its hour, inside the transaction that notes its message id: a window counts once. */
  async record(
    deviceId: string,
    { digest, endedAt, quality }: { digest: string; endedAt: string; quality: QualitySketch },
    manager: EntityManager,
  ): Promise<void> {
    const hour = new Date(Math.floor(Date.parse(endedAt) / HOUR_MS) * HOUR_MS);
    const key = { deviceId, digest, hour };
    const before = await manager.findOneBy(QualityEntity, key);
    // Another width is another model under the same digest, which only a faulty device tells of: the newer one stays.
    const isSame = before !== null && before.sketch.width === quality.width;
    const sketch = isSame ? mergeSketches(before.sketch, quality) : quality;
    await manager.upsert(QualityEntity, { ...key, sketch } as object, ['deviceId', 'digest', 'hour']);
  }

  /** Of the last day, one for each build and profile that devices serve now. @param of a model, a device; else all */
  async now(of: { modelId?: string; deviceId?: string } = {}): Promise<QualityNow[]> {
    const since = new Date(this.clock.now().getTime() - LOOKED_AT_MS);
    const rows: (QualityEntity & { profile: string | null })[] = await this.db.query(
      `SELECT q.*, d."profile" FROM "quality" q JOIN "device" d
         ON d."id" = q."deviceId" AND d."servingDigest" = q."digest" AND d."removedAt" IS NULL
       WHERE q."hour" >= $1 AND ($2::text IS NULL OR q."deviceId" = $2)`,
      [since, of.deviceId ?? null],
    );
    const found: QualityNow[] = [];
    for (const group of Map.groupBy(rows, ({ digest, profile }) => `${digest} ${profile}`).values()) {
      const { digest, profile } = group[0]!;
      const variant = await this.variants.byDigest(digest, profile);
      const expected = variant?.report?.quality;
      if (!variant || !expected || (of.modelId !== undefined && variant.modelId !== of.modelId)) continue;
      const fitting = group.filter(({ sketch }) => sketch.width === expected.width);
      if (fitting.length === 0) continue;
      const seen = fitting.map(({ sketch }) => sketch).reduce(mergeSketches);
      const deviceIds = [...new Set(fitting.map(({ deviceId }) => deviceId))];
      found.push({
        ...{ variantId: variant.id, modelId: variant.modelId, profile: profile ?? variant.profile, digest, deviceIds },
        ...{ expected, seen, drift: driftOf(expected, seen) },
      });
    }
    return found.toSorted((a, b) => b.seen.n - a.seen.n);
  }

  async forgetOld(): Promise<void> {
    const limit = new Date(this.clock.now().getTime() - KEPT_MS);
    await this.db.manager.delete(QualityEntity, { hour: LessThan(limit) });
  }
}
