import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Numbers } from './loop.types.js';

/** What the closed loop did, why, and on which figures. */
@Entity('decision')
@Index('IDX_decision_model', ['modelId', 'profile', 'at'])
export class DecisionEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') modelId!: string;
  @Column('text') profile!: string;
  @Column('text') action!: 'build' | 'rollout' | 'nothing-left' | 'rejected' | 'promoted' | 'rolled-back';
  @Column('text', { nullable: true }) recipe!: string | null;
  @Column('text') reason!: string;
  @Column('jsonb') numbers!: Numbers;
  @Column('text', { nullable: true }) jobId!: string | null;
  @Column('text', { nullable: true }) variantId!: string | null;
  @Column('text', { nullable: true }) rolloutId!: string | null;
  @Column('timestamptz') at!: Date;
}
