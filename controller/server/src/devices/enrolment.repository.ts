import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull, MoreThan } from 'typeorm';
import { DeviceEntity } from './device.entity.js';
import { EnrolmentTokenEntity } from './enrolment.entity.js';

@Injectable()
export class EnrolmentRepository {
  constructor(private readonly db: DataSource) {}

  async insertToken(token: EnrolmentTokenEntity): Promise<void> {
    await this.db.manager.insert(EnrolmentTokenEntity, token);
  }

  /** Newest first. */
  tokens(): Promise<EnrolmentTokenEntity[]> {
    return this.db.manager.find(EnrolmentTokenEntity, { order: { createdAt: 'DESC' }, take: 200 });
  }

  async deleteToken(id: string): Promise<boolean> {
    return (await this.db.manager.delete(EnrolmentTokenEntity, { id })).affected === 1;
  }

  /** Uses a token up and adds its device, both or neither. One conditional UPDATE: of two who try, one gets it. */
  async enrol(secretHash: string, now: Date, device: DeviceEntity): Promise<EnrolmentTokenEntity | null> {
    return this.db.transaction(async (manager) => {
      const token = await this.#useUp(manager, secretHash, now, device.id);
      if (!token) return null;
      await manager.insert(DeviceEntity, { ...device, name: token.name || device.name } as object);
      return token;
    });
  }

  async #useUp(
    manager: EntityManager,
    secretHash: string,
    now: Date,
    usedBy: string,
  ): Promise<EnrolmentTokenEntity | null> {
    const { affected } = await manager.update(
      EnrolmentTokenEntity,
      { secretHash, usedAt: IsNull(), expiresAt: MoreThan(now) },
      { usedAt: now, usedBy },
    );
    return affected === 1 ? manager.findOneBy(EnrolmentTokenEntity, { secretHash }) : null;
  }
}
