import type { MeasurementMessage, WindowClass } from '@espalier/proto';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One measuring window of one device. `profile` is the device's at that time. */
@Entity('measurement')
@Index('IDX_measurement_device', ['deviceId', 'endedAt'])
@Index('IDX_measurement_digest', ['digest', 'profile'])
export class MeasurementEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') deviceId!: string;
  @Column('text', { nullable: true }) profile!: string | null;
  @Column('text') digest!: string;
  @Column('text') scenario!: MeasurementMessage['scenario'];
  @Column('int') batch!: number;
  @Column('timestamptz') startedAt!: Date;
  @Column('timestamptz') endedAt!: Date;
  @Column('int') n!: number;
  @Column('int') p50Us!: number;
  @Column('int', { nullable: true }) p95Us!: number | null;
  @Column('int', { nullable: true }) p99Us!: number | null;
  /** HDR V2, compressed, base64. */
  @Column('text') histogram!: string;
  @Column('text') class!: WindowClass;
  @Column('int', { nullable: true }) coldStartUs!: number | null;
  @Column('double precision') rssBytes!: number;
  @Column('double precision', { nullable: true }) temperatureC!: number | null;
  @Column('int') errors!: number;
  @Column('jsonb') runtime!: MeasurementMessage['runtime'];
}
