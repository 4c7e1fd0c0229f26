import { Injectable } from '@nestjs/common';
import { DataSource, LessThan, MoreThan } from 'typeorm';
import { ApiTokenEntity, SessionEntity, UserEntity } from './access.entity.js';

@Injectable()
export class AccessRepository {
  constructor(private readonly db: DataSource) {}

  users(): Promise<UserEntity[]> {
    return this.db.manager.find(UserEntity, { order: { name: 'ASC' } });
  }

  user(where: { id: string } | { name: string }): Promise<UserEntity | null> {
    return this.db.manager.findOneBy(UserEntity, where);
  }

  async insertUser(user: UserEntity): Promise<void> {
    await this.db.manager.insert(UserEntity, user);
  }

  async setPassword(id: string, passwordHash: string): Promise<void> {
    await this.db.manager.update(UserEntity, { id }, { passwordHash });
  }

  async deleteUser(id: string): Promise<void> {
    await this.db.transaction(async (manager) => {
      await manager.delete(SessionEntity, { userId: id });
      await manager.delete(UserEntity, { id });
    });
  }

  async insertSession(session: SessionEntity): Promise<void> {
    await this.db.manager.delete(SessionEntity, { expiresAt: LessThan(session.createdAt) });
    await this.db.manager.insert(SessionEntity, session);
  }

  /** Takes a one-time link: of two who try, one gets it. */
  async useLink(secretHash: string, now: Date): Promise<SessionEntity | null> {
    const where = { secretHash, kind: 'link' as const, expiresAt: MoreThan(now) };
    const link = await this.db.manager.findOneBy(SessionEntity, where);
    const { affected } = await this.db.manager.delete(SessionEntity, where);
    return affected === 1 ? link : null;
  }

  /** Links of earlier starts are worth nothing any more. */
  async deleteLinks(): Promise<void> {
    await this.db.manager.delete(SessionEntity, { kind: 'link' });
  }

  session(secretHash: string, now: Date): Promise<SessionEntity | null> {
    return this.db.manager.findOneBy(SessionEntity, { secretHash, kind: 'session', expiresAt: MoreThan(now) });
  }

  async deleteSession(secretHash: string): Promise<void> {
    await this.db.manager.delete(SessionEntity, { secretHash });
  }

  tokens(): Promise<ApiTokenEntity[]> {
    return this.db.manager.find(ApiTokenEntity, { order: { createdAt: 'DESC' } });
  }

  token(secretHash: string): Promise<ApiTokenEntity | null> {
    return this.db.manager.findOneBy(ApiTokenEntity, { secretHash });
  }

  async insertToken(token: ApiTokenEntity): Promise<void> {
    await this.db.manager.insert(ApiTokenEntity, token);
  }

  async touchToken(id: string, lastUsedAt: Date): Promise<void> {
    await this.db.manager.update(ApiTokenEntity, { id }, { lastUsedAt });
  }

  async deleteToken(id: string): Promise<boolean> {
    return (await this.db.manager.delete(ApiTokenEntity, { id })).affected === 1;
  }
}
