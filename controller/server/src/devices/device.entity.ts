import type { ErrorBody, Facts } from '@espalier/proto';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** An enrolled device: what it said about itself and when. `removedAt` set: its certificate opens nothing any more. */
@Entity('device')
@Index('IDX_device_profile', ['profile'])
export class DeviceEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text', { nullable: true }) profile!: string | null;
  /** The facts that made the profile match, in words. */
  @Column('jsonb', { default: [] }) matched!: string[];
  @Column('jsonb', { nullable: true }) facts!: Facts | null;
  @Column('boolean', { default: false }) online!: boolean;
  @Column('text', { nullable: true }) sessionId!: string | null;
  @Column('text', { nullable: true }) bootId!: string | null;
  @Column('timestamptz', { nullable: true }) lastSeenAt!: Date | null;
  @Column('text', { nullable: true }) servingDigest!: string | null;
  @Column('text', { nullable: true }) previousDigest!: string | null;
  @Column('text', { nullable: true }) servingModel!: string | null;
  @Column('boolean', { default: true }) healthy!: boolean;
  @Column('text', { nullable: true }) endpoint!: string | null;
  @Column('jsonb', { nullable: true }) error!: ErrorBody | null;
  /** The device's own time of what it last said about serving; an older message changes nothing. */
  @Column('timestamptz', { nullable: true }) servingAt!: Date | null;
  @Column('text') certificateSerial!: string;
  @Column('timestamptz') certificateExpiresAt!: Date;
  @Column('timestamptz') enrolledAt!: Date;
  @Column('timestamptz', { nullable: true }) removedAt!: Date | null;
}
