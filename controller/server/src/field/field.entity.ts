import type { SampleHeader } from '@espalier/proto';
import type { FieldSampleState } from '@espalier/proto/api';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What devices may keep of the inputs of a model; a model without a row is not sampled. */
@Entity('sampling_policy')
export class SamplingPolicyEntity {
  @PrimaryColumn('text') modelId!: string;
  @Column('boolean') enabled!: boolean;
  @Column('double precision') confidenceBelow!: number;
  @Column('int') perDay!: number;
  @Column('int') bytesMax!: number;
  @Column('int') retentionDays!: number;
  @Column('text') changedBy!: string;
  @Column('timestamptz') changedAt!: Date;
}

/** One input that a device kept. Its values are a sealed file of the data directory; here is what stands beside them. */
@Entity('field_sample')
@Index('IDX_field_sample_model', ['modelId', 'state', 'takenAt'])
@Index('IDX_field_sample_device', ['deviceId', 'modelId', 'takenAt'])
export class FieldSampleEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') modelId!: string;
  @Column('text') deviceId!: string;
  @Column('text') digest!: string;
  @Column('timestamptz') takenAt!: Date;
  @Column('timestamptz') receivedAt!: Date;
  @Column('int') guess!: number;
  @Column('double precision') confidence!: number;
  @Column('jsonb') input!: SampleHeader['input'];
  /** Of the sealed file. */
  @Column('int') sizeBytes!: number;
  @Column('text') state!: FieldSampleState;
  @Column('int', { nullable: true }) label!: number | null;
  @Column('text', { nullable: true }) labelledBy!: string | null;
  @Column('timestamptz', { nullable: true }) labelledAt!: Date | null;
}
