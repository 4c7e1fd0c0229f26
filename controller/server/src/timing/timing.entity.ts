import type { NetworkTimes, RuntimeKey, SessionOptions } from '@espalier/proto';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One file of a plan, and what its operators do. */
export interface PlanNetwork {
  /** Share of the channels that it keeps. */
  readonly share: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly works: Readonly<Record<string, { readonly op: string; readonly work: number }>>;
}

/** What devices of a profile are to time: the networks of a latency table, or one build before it serves. */
@Entity('timing_plan')
@Index('IDX_timing_plan_model', ['modelId', 'profile', 'createdAt'])
export class TimingPlanEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') kind!: 'table' | 'trial';
  @Column('text') modelId!: string;
  @Column('text') profile!: string;
  @Column('text', { nullable: true }) variantId!: string | null;
  @Column('text') state!: 'planning' | 'measuring' | 'done' | 'failed';
  @Column('text', { nullable: true }) reason!: string | null;
  @Column('jsonb') networks!: readonly PlanNetwork[];
  @Column('jsonb') sessionOptions!: SessionOptions;
  @Column('text', { nullable: true }) jobId!: string | null;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
}

/** One device's part in a plan. */
@Entity('timing_report')
export class TimingReportEntity {
  @PrimaryColumn('text') planId!: string;
  @PrimaryColumn('text') deviceId!: string;
  @Column('text') requestId!: string;
  @Column('text') state!: 'asked' | 'answered' | 'failed';
  @Column('jsonb') networks!: readonly NetworkTimes[];
  @Column('jsonb', { nullable: true }) runtime!: RuntimeKey | null;
  @Column('double precision') deviceSeconds!: number;
  @Column('text', { nullable: true }) problem!: string | null;
  @Column('timestamptz') expiresAt!: Date;
  @Column('timestamptz', { nullable: true }) answeredAt!: Date | null;
}
