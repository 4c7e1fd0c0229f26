import type { ErrorBody } from '@espalier/proto';
import type { SampleView } from '@espalier/proto/api';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The last run of the sample journey; one row, id `sample`. */
@Entity('sample')
export class SampleEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') state!: SampleView['state'];
  @Column('jsonb') steps!: SampleView['steps'];
  @Column('text', { nullable: true }) modelId!: string | null;
  @Column('text', { nullable: true }) deviceId!: string | null;
  @Column('text', { nullable: true }) rolloutId!: string | null;
  @Column('jsonb', { nullable: true }) error!: ErrorBody | null;
  @Column('timestamptz') startedAt!: Date;
}
