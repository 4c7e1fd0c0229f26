import type { ErrorBody } from '@espalier/proto';
import type { CurvePoint, JobState } from '@espalier/proto/api';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

import type { JobPart } from './job-part.js';
import type { JobKind } from './worker-protocol.js';

export interface LogLine {
  readonly at: string;
  readonly text: string;
}

/** One piece of work in the durable queue. RUNNING with an expired lease means: its runner is gone. */
@Entity('job')
@Index('IDX_job_state', ['state', 'createdAt'])
export class JobEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') kind!: JobKind;
  @Column('text') title!: string;
  @Column('text') state!: JobState;
  @Column('text', { nullable: true }) modelId!: string | null;
  /** Null, like profile and recipe, where it makes several builds. */
  @Column('text', { nullable: true }) variantId!: string | null;
  @Column('text', { nullable: true }) profile!: string | null;
  @Column('text', { nullable: true }) recipe!: string | null;
  @Column('text', { nullable: true }) datasetId!: string | null;
  @Column('text') requestedBy!: string;
  @Column('int', { default: 0 }) attempt!: number;
  @Column('boolean', { default: false }) cancelAsked!: boolean;
  @Column('text', { nullable: true }) owner!: string | null;
  @Column('timestamptz', { nullable: true }) leaseUntil!: Date | null;
  @Column('text', { nullable: true }) step!: string | null;
  @Column('int', { nullable: true }) stepIndex!: number | null;
  @Column('int', { nullable: true }) steps!: number | null;
  @Column('double precision', { default: 0 }) progress!: number;
  @Column('jsonb', { default: [] }) log!: LogLine[];
  @Column('jsonb', { default: [] }) curve!: CurvePoint[];
  /** The builds it makes; empty for other kinds of work. */
  @Column('jsonb', { default: [] }) parts!: JobPart[];
  @Column('jsonb', { nullable: true }) error!: ErrorBody | null;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz', { nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
}
