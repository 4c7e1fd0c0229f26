import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { MeasurementEntity } from './measurement.entity.js';

export interface MeasurementQuery {
  readonly digest?: string | undefined;
  readonly profile?: string | undefined;
  readonly deviceIds?: readonly string[] | undefined;
  readonly since?: Date | undefined;
  readonly scenario?: string | undefined;
}

/** A measurement without its histogram. */
export type Window = Omit<MeasurementEntity, 'histogram' | 'runtime'> & {
  /** Adapter and version of the runtime that served. */
  readonly servedBy: string;
};

/** Newest windows of one device and digest that a summary looks at. */
const WINDOWS = 20;

@Injectable()
export class MeasurementRepository {
  constructor(private readonly db: DataSource) {}

  async insert(row: MeasurementEntity, manager: EntityManager): Promise<void> {
    await manager.insert(MeasurementEntity, row as object);
  }

  /** The newest windows of each (device, digest) that match, newest first. */
  async windows(query: MeasurementQuery): Promise<Window[]> {
    const where = ['TRUE'];
    const values: unknown[] = [];
    const add = (clause: string, value: unknown): void => {
      values.push(value);
      where.push(clause.replace('?', `$${values.length}`));
    };
    if (query.digest !== undefined) add('"digest" = ?', query.digest);
    if (query.profile !== undefined) add('"profile" = ?', query.profile);
    if (query.deviceIds !== undefined) add('"deviceId" = ANY(?)', query.deviceIds);
    if (query.since !== undefined) add('"startedAt" >= ?', query.since);
    if (query.scenario !== undefined) add('"scenario" = ?', query.scenario);
    return this.db.query(
      `SELECT ${COLUMNS} FROM (
         SELECT *, row_number() OVER (PARTITION BY "deviceId", "digest" ORDER BY "endedAt" DESC) AS "age"
         FROM "measurement" WHERE ${where.join(' AND ')}
       ) AS "newest" WHERE "age" <= ${WINDOWS} ORDER BY "endedAt" DESC`,
      values,
    );
  }

  /** All windows of a device since a time, newest last. */
  async ofDevice(deviceId: string, since: Date, limit: number): Promise<Window[]> {
    const rows: Window[] = await this.db.query(
      `SELECT ${COLUMNS} FROM "measurement" WHERE "deviceId" = $1 AND "endedAt" >= $2 ORDER BY "endedAt" DESC LIMIT $3`,
      [deviceId, since, limit],
    );
    return rows.reverse();
  }

  /** The power mode of each device's newest window. */
  async powerModes(deviceIds: readonly string[]): Promise<(string | null)[]> {
    const rows: { mode: string | null }[] = await this.db.query(
      `SELECT DISTINCT ON ("deviceId") "runtime"->>'powerMode' AS "mode" FROM "measurement"
       WHERE "deviceId" = ANY($1) ORDER BY "deviceId", "endedAt" DESC`,
      [deviceIds],
    );
    return rows.map(({ mode }) => mode);
  }

  async deleteBefore(limit: Date): Promise<void> {
    await this.db.query('DELETE FROM "measurement" WHERE "endedAt" < $1', [limit]);
  }
}

const SERVED_BY = `("runtime"->>'adapter') || ' ' || ("runtime"->>'version') AS "servedBy"`;
const COLUMNS = [
  ...['id', 'deviceId', 'profile', 'digest', 'scenario', 'batch', 'startedAt', 'endedAt', 'n'],
  ...['p50Us', 'p95Us', 'p99Us', 'class', 'coldStartUs', 'rssBytes', 'temperatureC', 'errors'],
]
  .map((name) => `"${name}"`)
  .concat(SERVED_BY)
  .join(', ');
