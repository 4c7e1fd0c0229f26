import { Injectable } from '@nestjs/common';
import { DataSource, In, IsNull, LessThan, type QueryDeepPartialEntity } from 'typeorm';
import { ExecutionEntity, GroupEntity, RolloutEntity } from './rollout.entity.js';

/** States in which a tick has something to decide. */
const LIVE = ['RUNNING', 'PAUSED', 'STOPPING', 'ROLLING_BACK'] as const;
const ENDED_EXECUTIONS = ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'REJECTED', 'REMOVED', 'CANCELED'] as const;

export type ExecutionChange = QueryDeepPartialEntity<ExecutionEntity>;

/** The only SQL of rollouts. */
@Injectable()
export class RolloutRepository {
  constructor(private readonly db: DataSource) {}

  async create(rollout: RolloutEntity, groups: GroupEntity[], executions: ExecutionEntity[]): Promise<void> {
    await this.db.transaction(async (manager) => {
      await manager.insert(RolloutEntity, rollout);
      await manager.insert(GroupEntity, groups);
      if (executions.length > 0) await manager.insert(ExecutionEntity, executions as object[]);
    });
  }

  find(id: string): Promise<RolloutEntity | null> {
    return this.db.getRepository(RolloutEntity).findOneBy({ id });
  }

  live(): Promise<RolloutEntity[]> {
    return this.db.getRepository(RolloutEntity).find({ where: { state: In([...LIVE]) }, order: { createdAt: 'ASC' } });
  }

  open(modelId: string): Promise<RolloutEntity[]> {
    return this.db
      .getRepository(RolloutEntity)
      .findBy({ modelId, state: In([...LIVE, 'CREATING', 'READY', 'STARTING']) });
  }

  list(limit: number, offset: number): Promise<[RolloutEntity[], number]> {
    const order = { createdAt: 'DESC', id: 'ASC' } as const;
    return this.db.getRepository(RolloutEntity).findAndCount({ order, take: limit, skip: offset });
  }

  groups(rolloutIds: readonly string[]): Promise<GroupEntity[]> {
    return this.db
      .getRepository(GroupEntity)
      .find({ where: { rolloutId: In([...rolloutIds]) }, order: { rolloutId: 'ASC', index: 'ASC' } });
  }

  executions(rolloutIds: readonly string[]): Promise<ExecutionEntity[]> {
    return this.db
      .getRepository(ExecutionEntity)
      .find({ where: { rolloutId: In([...rolloutIds]) }, order: { group: 'ASC', deviceName: 'ASC', id: 'ASC' } });
  }

  execution(id: string): Promise<ExecutionEntity | null> {
    return this.db.getRepository(ExecutionEntity).findOneBy({ id });
  }

  /** Takes the tick lease. One conditional UPDATE, so of several controllers exactly one gets true. */
  async lease(id: string, now: Date, leaseMs: number): Promise<boolean> {
    const leaseUntil = new Date(now.getTime() + leaseMs);
    const { affected } = await this.db.getRepository(RolloutEntity).update(
      [
        { id, leaseUntil: IsNull() },
        { id, leaseUntil: LessThan(now) },
      ] as never,
      { leaseUntil },
    );
    return affected === 1;
  }

  async release(id: string): Promise<void> {
    await this.db.getRepository(RolloutEntity).update({ id }, { leaseUntil: null });
  }

  /** Moves a rollout on only from a state it is expected in, so that a tick and a person do not overrule each other. */
  async move(id: string, from: readonly RolloutEntity['state'][], change: Partial<RolloutEntity>): Promise<boolean> {
    const { affected } = await this.db.getRepository(RolloutEntity).update({ id, state: In([...from]) }, change);
    return affected === 1;
  }

  async note(id: string, at: Date, text: string): Promise<void> {
    const line = JSON.stringify([{ at: at.toISOString(), text }]);
    await this.db.query('update rollout set history = history || $2::jsonb where id = $1', [id, line]);
  }

  async updateGroup(rolloutId: string, index: number, change: QueryDeepPartialEntity<GroupEntity>): Promise<void> {
    await this.db.getRepository(GroupEntity).update({ rolloutId, index }, change);
  }

  /** Changes executions that are still in one of these states; returns how many. */
  async updateExecutions(
    ids: readonly string[],
    from: readonly ExecutionEntity['state'][],
    change: ExecutionChange,
  ): Promise<number> {
    if (ids.length === 0) return 0;
    const { affected } = await this.db
      .getRepository(ExecutionEntity)
      .update({ id: In([...ids]), state: In([...from]) }, change);
    return affected ?? 0;
  }

  async cancelQueued(rolloutId: string, error: ExecutionEntity['error'], now: Date): Promise<number> {
    const change = { state: 'CANCELED', error, updatedAt: now, settled: true } as ExecutionChange;
    const { affected } = await this.db.getRepository(ExecutionEntity).update({ rolloutId, state: 'QUEUED' }, change);
    return affected ?? 0;
  }

  /** What a device reported, if it is newer than what is known. */
  async report(
    id: string,
    sequence: number,
    from: readonly ExecutionEntity['state'][],
    change: ExecutionChange,
  ): Promise<boolean> {
    const { affected } = await this.db
      .getRepository(ExecutionEntity)
      .update({ id, sequence: LessThan(sequence), state: In([...from]) }, { ...change, sequence });
    return affected === 1;
  }

  async insertExecutions(executions: ExecutionEntity[]): Promise<void> {
    if (executions.length > 0) await this.db.getRepository(ExecutionEntity).insert(executions as object[]);
  }

  async replaceExecutions(old: readonly string[], fresh: ExecutionEntity[]): Promise<void> {
    if (old.length === 0) return;
    await this.db.transaction(async (manager) => {
      await manager.delete(ExecutionEntity, { id: In([...old]) });
      await manager.insert(ExecutionEntity, fresh as object[]);
    });
  }

  /** Executions that ended and whose end is not yet in the device's desired state. */
  unsettled(): Promise<ExecutionEntity[]> {
    return this.db
      .getRepository(ExecutionEntity)
      .find({ where: { settled: false, state: In([...ENDED_EXECUTIONS]) }, take: 200 });
  }

  async settle(id: string): Promise<void> {
    await this.db.getRepository(ExecutionEntity).update({ id }, { settled: true });
  }

  /** Other executions of these devices that are under way: a device does one thing at a time, the newest. */
  otherInProgress(deviceIds: readonly string[], rolloutId: string): Promise<ExecutionEntity[]> {
    return this.db
      .getRepository(ExecutionEntity)
      .createQueryBuilder('execution')
      .where(`execution."deviceId" in (:...deviceIds) and execution."rolloutId" <> :rolloutId`, {
        deviceIds,
        rolloutId,
      })
      .andWhere(`execution.state = 'IN_PROGRESS'`)
      .getMany();
  }
}
