import type { DesiredState, SamplingOrder, Target, TimingOrder } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { DataSource, IsNull } from 'typeorm';
import { DesiredEntity } from './desired.entity.js';
import { DeviceEntity } from './device.entity.js';

export interface Wanted {
  target: Target | null;
  cancel: string[];
  timing: TimingOrder | null;
  sampling: SamplingOrder | null;
}

@Injectable()
export class DesiredRepository {
  constructor(private readonly db: DataSource) {}

  /** Applies a change under the row's lock and raises the revision. False: nothing changed. */
  async change(deviceId: string, now: Date, change: (wanted: Wanted) => Partial<Wanted> | null): Promise<boolean> {
    return this.db.transaction(async (manager) => {
      await manager
        .createQueryBuilder()
        .insert()
        .into(DesiredEntity)
        .values({ deviceId, revision: 0, target: null, cancel: [], timing: null, sampling: null, issuedAt: now })
        .orIgnore()
        .execute();
      const row = await manager.findOneOrFail(DesiredEntity, {
        where: { deviceId },
        lock: { mode: 'pessimistic_write' },
      });
      const changed = change({ target: row.target, cancel: row.cancel, timing: row.timing, sampling: row.sampling });
      if (changed === null) return false;
      await manager.save(DesiredEntity, { ...row, ...changed, revision: row.revision + 1, issuedAt: now });
      return true;
    });
  }

  async document(deviceId: string, now: Date): Promise<DesiredState> {
    const [row, device] = await Promise.all([
      this.db.manager.findOneBy(DesiredEntity, { deviceId }),
      this.db.manager.findOneBy(DeviceEntity, { id: deviceId }),
    ]);
    return {
      version: 1,
      deviceId,
      revision: row?.revision ?? 0,
      profile: device?.profile ? { id: device.profile, matched: device.matched } : null,
      target: row?.target ?? null,
      cancel: row?.cancel ?? [],
      timing: row?.timing ?? null,
      sampling: row?.sampling ?? null,
      issuedAt: (row?.issuedAt ?? now).toISOString(),
    };
  }

  /** Every device that is not removed. */
  async deviceIds(): Promise<string[]> {
    const rows = await this.db.manager.find(DeviceEntity, { select: { id: true }, where: { removedAt: IsNull() } });
    return rows.map(({ id }) => id);
  }
}
