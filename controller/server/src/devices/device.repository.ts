import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull, LessThan } from 'typeorm';
import { DesiredEntity } from './desired.entity.js';
import { DeviceEntity } from './device.entity.js';

@Injectable()
export class DeviceRepository {
  constructor(private readonly db: DataSource) {}

  /** Every device that is not removed, by name. */
  list(): Promise<DeviceEntity[]> {
    return this.db.manager.find(DeviceEntity, { where: { removedAt: IsNull() }, order: { name: 'ASC', id: 'ASC' } });
  }

  find(id: string): Promise<DeviceEntity | null> {
    return this.db.manager.findOneBy(DeviceEntity, { id, removedAt: IsNull() });
  }

  /** Changes columns of a device that is not removed. False: there is none. */
  async update(id: string, changes: Partial<DeviceEntity>, manager: EntityManager = this.db.manager): Promise<boolean> {
    const { affected } = await manager.update(DeviceEntity, { id, removedAt: IsNull() }, changes as object);
    return affected === 1;
  }

  async remove(id: string, now: Date): Promise<boolean> {
    return this.db.transaction(async (manager) => {
      const { affected } = await manager.update(
        DeviceEntity,
        { id, removedAt: IsNull() },
        { removedAt: now, online: false },
      );
      if (affected === 1) await manager.delete(DesiredEntity, { deviceId: id });
      return affected === 1;
    });
  }

  /** After a start nobody has a session at the embedded broker yet. */
  async allOffline(): Promise<void> {
    await this.db.manager.update(DeviceEntity, { online: true }, { online: false });
  }

  /** Devices that count as online but said nothing since; they are offline now. */
  async silentSince(limit: Date): Promise<string[]> {
    const rows = await this.db.manager.find(DeviceEntity, {
      select: { id: true },
      where: { online: true, removedAt: IsNull(), lastSeenAt: LessThan(limit) },
    });
    const ids = rows.map(({ id }) => id);
    if (ids.length > 0) await this.db.manager.update(DeviceEntity, ids, { online: false });
    return ids;
  }
}
