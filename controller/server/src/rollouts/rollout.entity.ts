import type { ErrorBody, ExecutionState, UpdateStep } from '@espalier/proto';
import type { GatePlan, GateView, GroupPlan, GroupState, RolloutState } from '@espalier/proto/api';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

export interface HistoryLine {
  readonly at: string;
  readonly text: string;
}

/** A model version offered to devices in groups. */
@Entity('rollout')
@Index('IDX_rollout_state', ['state'])
export class RolloutEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') modelId!: string;
  @Column('text') state!: RolloutState;
  @Column('text', { nullable: true }) reason!: string | null;
  @Column('text') createdBy!: string;
  @Column('text') filter!: string;
  @Column('jsonb') gate!: GatePlan;
  @Column('jsonb', { default: [] }) history!: HistoryLine[];
  @Column('text', { nullable: true }) decisionId!: string | null;
  @Column('timestamptz', { nullable: true }) leaseUntil!: Date | null;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
}

@Entity('rollout_group')
export class GroupEntity {
  @PrimaryColumn('text') rolloutId!: string;
  @PrimaryColumn('int') index!: number;
  @Column('jsonb') plan!: GroupPlan;
  @Column('text') state!: GroupState;
  /** Frozen when the group starts. */
  @Column('int', { nullable: true }) total!: number | null;
  @Column('timestamptz', { nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { nullable: true }) soakUntil!: Date | null;
  @Column('timestamptz', { nullable: true }) blockedSince!: Date | null;
  @Column('jsonb', { default: [] }) gates!: GateView[];
}

/** One device in one rollout; `back` is its way back to what it served before. */
@Entity('execution')
@Index('IDX_execution_rollout', ['rolloutId'])
@Index('IDX_execution_device', ['deviceId'])
export class ExecutionEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') rolloutId!: string;
  @Column('text') deviceId!: string;
  @Column('text') deviceName!: string;
  @Column('text') profile!: string;
  @Column('int') group!: number;
  @Column('text') direction!: 'out' | 'back';
  @Column('text') state!: ExecutionState;
  @Column('text', { nullable: true }) step!: UpdateStep | null;
  @Column('double precision', { nullable: true }) progress!: number | null;
  @Column('text', { nullable: true }) variantId!: string | null;
  @Column('text', { nullable: true }) digest!: string | null;
  @Column('text', { nullable: true }) previousDigest!: string | null;
  /** Of the device's last message about it; an older one is ignored. */
  @Column('int', { default: -1 }) sequence!: number;
  @Column('int', { default: 0 }) attempt!: number;
  @Column('boolean', { default: false }) skipped!: boolean;
  /** Its end was taken into the device's desired state. */
  @Column('boolean', { default: false }) settled!: boolean;
  @Column('jsonb', { nullable: true }) error!: ErrorBody | null;
  @Column('timestamptz', { nullable: true }) dispatchedAt!: Date | null;
  @Column('timestamptz') updatedAt!: Date;
}
