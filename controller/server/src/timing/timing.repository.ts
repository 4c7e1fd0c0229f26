import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { TimingPlanEntity, TimingReportEntity } from './timing.entity.js';

/** The only SQL of timing. */
@Injectable()
export class TimingRepository {
  constructor(private readonly db: DataSource) {}

  find(id: string): Promise<TimingPlanEntity | null> {
    return this.db.getRepository(TimingPlanEntity).findOneBy({ id });
  }

  /** Newest first. */
  plans(modelId: string, profile?: string): Promise<TimingPlanEntity[]> {
    return this.db
      .getRepository(TimingPlanEntity)
      .find({ where: profile === undefined ? { modelId } : { modelId, profile }, order: { createdAt: 'DESC' } });
  }

  open(): Promise<TimingPlanEntity[]> {
    return this.db.getRepository(TimingPlanEntity).findBy({ state: In(['planning', 'measuring']) });
  }

  async insert(plan: TimingPlanEntity): Promise<void> {
    await this.db.getRepository(TimingPlanEntity).insert(plan as object);
  }

  async update(id: string, change: Partial<TimingPlanEntity>): Promise<void> {
    await this.db.getRepository(TimingPlanEntity).update({ id }, change as object);
  }

  reports(planId: string): Promise<TimingReportEntity[]> {
    return this.db.getRepository(TimingReportEntity).find({ where: { planId }, order: { deviceId: 'ASC' } });
  }

  byRequest(deviceId: string, requestId: string): Promise<TimingReportEntity | null> {
    return this.db.getRepository(TimingReportEntity).findOneBy({ deviceId, requestId });
  }

  async save(report: TimingReportEntity): Promise<void> {
    await this.db.getRepository(TimingReportEntity).save(report as object);
  }
}
