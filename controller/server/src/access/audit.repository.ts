import type { AuditEntry, Page } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AuditEntity } from './audit.entity.js';

@Injectable()
export class AuditRepository {
  constructor(private readonly db: DataSource) {}

  async insert(entry: AuditEntity): Promise<void> {
    await this.db.manager.insert(AuditEntity, entry as object);
  }

  /** Newest first. The cursor is `time|id` of the last entry of the page before. */
  async page({
    q,
    cursor,
    limit,
  }: {
    q: string;
    cursor?: string | undefined;
    limit: number;
  }): Promise<Page<AuditEntry>> {
    const matching = this.db.manager
      .createQueryBuilder(AuditEntity, 'entry')
      .where(`(entry.who || ' ' || entry.action || ' ' || entry.subject) ILIKE :like`, {
        like: `%${q.replace(/[\\%_]/g, '\\$&')}%`,
      });
    const total = await matching.getCount();
    if (cursor) {
      const [at, id] = cursor.split('|');
      matching.andWhere('(entry.at, entry.id) < (:at, :id)', { at: new Date(Number(at) || 0), id: id ?? '' });
    }
    const rows = await matching
      .orderBy('entry.at', 'DESC')
      .addOrderBy('entry.id', 'DESC')
      .take(limit + 1)
      .getMany();
    const items = rows.slice(0, limit).map((row) => ({ ...row, at: row.at.toISOString() }));
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return { items, total, next: last ? `${last.at.getTime()}|${last.id}` : null };
  }
}
