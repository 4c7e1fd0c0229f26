import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Samples to calibrate with and samples to evaluate on, as the SPEC that the readers understand. */
@Entity('dataset')
export class DatasetEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') calibrate!: string;
  @Column('text', { nullable: true }) evaluate!: string | null;
  @Column('boolean') labelled!: boolean;
  @Column('int') calibrationSamples!: number;
  @Column('int') evaluationSamples!: number;
  @Column('jsonb') sampleShape!: number[];
  @Column('bigint', {
    nullable: true,
    transformer: { from: (value: string | null) => (value === null ? null : Number(value)), to: (value) => value },
  })
  sizeBytes!: number | null;
  /** SHA-256 of the uploaded archive; null for data that stays where it is. */
  @Column('text', { nullable: true }) digest!: string | null;
  /** Evaluation samples that devices kept and people labelled. */
  @Column('int', { default: 0 }) fieldSamples!: number;
  /** The model whose field samples are in it, and the data set that they were appended to; null for all other data. */
  @Column('text', { nullable: true }) fieldOf!: string | null;
  @Column('text', { nullable: true }) baseId!: string | null;
  @Column('timestamptz') createdAt!: Date;
}
