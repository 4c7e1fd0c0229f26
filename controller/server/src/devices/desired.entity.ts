import type { SamplingOrder, Target, TimingOrder } from '@espalier/proto';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a device is to serve; `revision` grows with every change. */
@Entity('desired')
export class DesiredEntity {
  @PrimaryColumn('text') deviceId!: string;
  @Column('int') revision!: number;
  @Column('jsonb', { nullable: true }) target!: Target | null;
  @Column('jsonb', { default: [] }) cancel!: string[];
  @Column('jsonb', { nullable: true }) timing!: TimingOrder | null;
  @Column('jsonb', { nullable: true }) sampling!: SamplingOrder | null;
  @Column('timestamptz') issuedAt!: Date;
}
