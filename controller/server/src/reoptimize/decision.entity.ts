import type { DecisionAction } from '@espalier/proto/api';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Numbers, Skipped, Trigger } from './loop.types.js';

/** What the closed loop did, why, and on which figures. */
@Entity('decision')
@Index('IDX_decision_model', ['modelId', 'profile', 'at'])
export class DecisionEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') modelId!: string;
  @Column('text') profile!: string;
  @Column('text') action!: DecisionAction;
  @Column('text', { nullable: true }) trigger!: Trigger | null;
  @Column('text', { nullable: true }) recipe!: string | null;
  @Column('text') reason!: string;
  @Column('jsonb') numbers!: Numbers;
  @Column('jsonb', { default: [] }) skipped!: readonly Skipped[];
  @Column('text', { nullable: true }) jobId!: string | null;
  @Column('text', { nullable: true }) variantId!: string | null;
  @Column('text', { nullable: true }) rolloutId!: string | null;
  @Column('timestamptz') at!: Date;
}
