import type { SamplingRequest } from '@espalier/proto';
import type { FieldSampleState, Page } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DataSource, In, LessThan } from 'typeorm';
import { FieldSampleEntity, SamplingPolicyEntity } from './field.entity.js';

/** A device that serves a sampled build, or that was asked to keep samples. */
export interface Asked {
  readonly id: string;
  readonly profile: string | null;
  readonly servingDigest: string | null;
  readonly asked: SamplingRequest | null;
}

/** Of one model: samples by state, and their bytes. */
export interface Usage {
  readonly counts: Readonly<Record<FieldSampleState, number>>;
  readonly sizeBytes: number;
}

@Injectable()
export class FieldRepository {
  constructor(private readonly db: DataSource) {}

  policy(modelId: string): Promise<SamplingPolicyEntity | null> {
    return this.db.manager.findOneBy(SamplingPolicyEntity, { modelId });
  }

  async savePolicy(policy: SamplingPolicyEntity): Promise<void> {
    await this.db.manager.save(SamplingPolicyEntity, policy);
  }

  /** Few: without a policy that is on, and none that is still asked, there are none. */
  devicesToTell(deviceId?: string): Promise<Asked[]> {
    return this.db.query(
      `SELECT d."id", d."profile", d."servingDigest", w."sampling"->'request' AS "asked"
       FROM "device" d LEFT JOIN "desired" w ON w."deviceId" = d."id"
       WHERE d."removedAt" IS NULL AND ($1::text IS NULL OR d."id" = $1)
         AND (jsonb_typeof(w."sampling") = 'object' OR d."servingDigest" IN (
           SELECT v."digest" FROM "variant" v JOIN "sampling_policy" p ON p."modelId" = v."modelId" AND p."enabled"))`,
      [deviceId ?? null],
    );
  }

  /** Devices that are asked to keep samples of a model by name and version. */
  async countAsked(name: string, version: string): Promise<number> {
    const [row] = await this.db.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM "desired"
       WHERE "sampling"->'request'->'model'->>'name' = $1 AND "sampling"->'request'->'model'->>'version' = $2`,
      [name, version],
    );
    return row?.count ?? 0;
  }

  find(id: string): Promise<FieldSampleEntity | null> {
    return this.db.manager.findOneBy(FieldSampleEntity, { id });
  }

  async insert(sample: FieldSampleEntity): Promise<void> {
    await this.db.manager.insert(FieldSampleEntity, sample as object);
  }

  async update(id: string, change: Partial<FieldSampleEntity>): Promise<void> {
    await this.db.manager.update(FieldSampleEntity, { id }, change as object);
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.db.manager.delete(FieldSampleEntity, { id: In([...ids]) });
  }

  /** All of a model, or those in one state, in the order they were taken. */
  ofModel(modelId: string, state?: FieldSampleState): Promise<FieldSampleEntity[]> {
    return this.db.manager.find(FieldSampleEntity, {
      where: { modelId, ...(state ? { state } : {}) },
      order: { takenAt: 'ASC', id: 'ASC' },
    });
  }

  /** The newest first. The cursor is `time|id` of the last one of the page before. */
  async page(
    modelId: string,
    state: FieldSampleState,
    cursor: string | undefined,
    limit: number,
  ): Promise<Page<FieldSampleEntity>> {
    const matching = this.db.manager
      .createQueryBuilder(FieldSampleEntity, 'one')
      .where('one.modelId = :modelId AND one.state = :state', { modelId, state });
    const total = await matching.getCount();
    if (cursor) {
      const [at, id] = cursor.split('|');
      matching.andWhere('(one.takenAt, one.id) < (:at, :id)', { at: new Date(Number(at) || 0), id: id ?? '' });
    }
    const rows = await matching
      .orderBy('one.takenAt', 'DESC')
      .addOrderBy('one.id', 'DESC')
      .take(limit + 1)
      .getMany();
    const items = rows.slice(0, limit);
    const last = rows.length > limit ? items.at(-1) : undefined;
    return { items, total, next: last ? `${last.takenAt.getTime()}|${last.id}` : null };
  }

  async usage(modelId: string): Promise<Usage> {
    const rows: { state: FieldSampleState; count: number; bytes: string }[] = await this.db.query(
      `SELECT "state", count(*)::int AS count, sum("sizeBytes") AS bytes FROM "field_sample" WHERE "modelId" = $1 GROUP BY "state"`,
      [modelId],
    );
    const countOf = (state: FieldSampleState): number => rows.find((row) => row.state === state)?.count ?? 0;
    return {
      counts: { open: countOf('open'), labelled: countOf('labelled'), unusable: countOf('unusable') },
      sizeBytes: rows.reduce((sum, { bytes }) => sum + Number(bytes), 0),
    };
  }

  /** What one device sent of a model: how many it took in a span, and the bytes received since a moment. */
  async sentBy(
    deviceId: string,
    modelId: string,
    taken: { from: Date; to: Date },
    since: Date,
  ): Promise<{ taken: number; bytes: number }> {
    const [row] = await this.db.query<{ taken: number; bytes: string | null }[]>(
      `SELECT count(*) FILTER (WHERE "takenAt" >= $3 AND "takenAt" < $4)::int AS taken,
              sum("sizeBytes") FILTER (WHERE "receivedAt" >= $5) AS bytes
       FROM "field_sample" WHERE "deviceId" = $1 AND "modelId" = $2`,
      [deviceId, modelId, taken.from, taken.to, since],
    );
    return { taken: row?.taken ?? 0, bytes: Number(row?.bytes ?? 0) };
  }

  /** Samples older than their model's policy keeps them, and those of models that are gone. */
  async expired(now: Date): Promise<FieldSampleEntity[]> {
    const found: FieldSampleEntity[] = [];
    for (const { modelId, retentionDays } of await this.db.manager.find(SamplingPolicyEntity)) {
      const limit = new Date(now.getTime() - retentionDays * 86_400_000);
      found.push(...(await this.db.manager.findBy(FieldSampleEntity, { modelId, takenAt: LessThan(limit) })));
    }
    return found;
  }

  async ids(): Promise<Set<string>> {
    const rows = await this.db.manager.find(FieldSampleEntity, { select: { id: true } });
    return new Set(rows.map(({ id }) => id));
  }
}
