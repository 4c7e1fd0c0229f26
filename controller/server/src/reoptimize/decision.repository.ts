import { Injectable } from '@nestjs/common';
import { DataSource, In, MoreThanOrEqual } from 'typeorm';
import { DecisionEntity } from './decision.entity.js';

/** The only SQL of the closed loop. Decisions are only ever added. */
@Injectable()
export class DecisionRepository {
  constructor(private readonly db: DataSource) {}

  /** One conditional UPDATE, so of several controllers exactly one gets true; a lease that ran out is anybody's. */
  async lease(now: Date, leaseMs: number): Promise<boolean> {
    const until = new Date(now.getTime() + leaseMs);
    const [rows] = await this.db.query<[unknown[], number]>(
      'update loop_lease set until = $1 where until is null or until < $2 returning id',
      [until, now],
    );
    return rows.length === 1;
  }

  async release(): Promise<void> {
    await this.db.query('update loop_lease set until = null');
  }

  async insert(decision: DecisionEntity): Promise<void> {
    await this.db.getRepository(DecisionEntity).insert(decision as object);
  }

  /** Since a time, newest first. */
  of(modelId: string, profile: string, since: Date): Promise<DecisionEntity[]> {
    return this.db
      .getRepository(DecisionEntity)
      .find({ where: { modelId, profile, at: MoreThanOrEqual(since) }, order: { at: 'DESC', id: 'ASC' }, take: 100 });
  }

  find(id: string): Promise<DecisionEntity | null> {
    return this.db.getRepository(DecisionEntity).findOneBy({ id });
  }

  buildsSince(modelId: string, profile: string, since: Date): Promise<number> {
    return this.db
      .getRepository(DecisionEntity)
      .countBy({ modelId, profile, action: 'build', at: MoreThanOrEqual(since) });
  }

  /** Newest first, with how many there are in all. */
  page(modelId: string | undefined, limit: number, offset: number): Promise<[DecisionEntity[], number]> {
    return this.db.getRepository(DecisionEntity).findAndCount({
      where: modelId === undefined ? {} : { modelId },
      order: { at: 'DESC', id: 'ASC' },
      take: limit,
      skip: offset,
    });
  }

  /** Decisions to roll out whose rollout has no verdict yet. */
  async unjudged(): Promise<DecisionEntity[]> {
    const repository = this.db.getRepository(DecisionEntity);
    const open = await repository.findBy({ action: 'rollout' });
    const ids = open.map(({ rolloutId }) => rolloutId).filter((id) => id !== null);
    if (ids.length === 0) return [];
    const verdicts = await repository.findBy({ rolloutId: In(ids), action: In(['promoted', 'rolled-back']) });
    const judged = new Set(verdicts.map(({ rolloutId }) => rolloutId));
    return open.filter(({ rolloutId }) => rolloutId !== null && !judged.has(rolloutId));
  }
}
