import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ModelEntity } from './model.entity.js';

@Injectable()
export class ModelRepository {
  constructor(private readonly db: DataSource) {}

  find(id: string): Promise<ModelEntity | null> {
    return this.db.getRepository(ModelEntity).findOneBy({ id });
  }

  list(): Promise<ModelEntity[]> {
    return this.db.getRepository(ModelEntity).find({ order: { createdAt: 'DESC' } });
  }

  versions(name: string): Promise<ModelEntity[]> {
    return this.db.getRepository(ModelEntity).findBy({ name });
  }

  async insert(model: ModelEntity): Promise<void> {
    await this.db.getRepository(ModelEntity).insert(model);
  }

  async update(id: string, change: Partial<ModelEntity>): Promise<void> {
    await this.db.getRepository(ModelEntity).update({ id }, change);
  }

  /** Removes a model with its variants and decisions. Blobs stay: devices may still serve them. */
  async remove(id: string): Promise<void> {
    await this.db.transaction(async (manager) => {
      await manager.query('delete from "release" where "variantId" in (select id from variant where "modelId" = $1)', [
        id,
      ]);
      await manager.query(
        'delete from timing_report where "planId" in (select id from timing_plan where "modelId" = $1)',
        [id],
      );
      for (const table of [
        'variant',
        'decision',
        'loop_switch',
        'timing_plan',
        'job',
        'sampling_policy',
        'field_sample',
      ]) {
        await manager.query(`delete from ${table} where "modelId" = $1`, [id]);
      }
      await manager.query('delete from model where id = $1', [id]);
    });
  }

  /** Rollouts of the model that are not over. */
  async openRollouts(id: string): Promise<number> {
    const [row] = await this.db.query<{ count: number }[]>(
      `select count(*)::int as count from rollout
       where "modelId" = $1 and state not in ('FINISHED', 'STOPPED', 'ROLLED_BACK')`,
      [id],
    );
    return row?.count ?? 0;
  }
}
