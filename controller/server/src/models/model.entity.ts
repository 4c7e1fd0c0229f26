import type { Preprocess } from '@espalier/proto';
import type { Budget, ModelInfo } from '@espalier/proto/api';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A registered model: one version of a name. Its file is a blob of the artifact store. */
@Entity('model')
@Index('UQ_model_name_version', ['name', 'version'], { unique: true })
export class ModelEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text') version!: string;
  @Column('text') fileSha256!: string;
  @Column('bigint', { transformer: { from: Number, to: (value: number) => value } }) sizeBytes!: number;
  @Column('jsonb') info!: ModelInfo;
  @Column('jsonb', { nullable: true }) preprocess!: Preprocess | null;
  @Column('jsonb', { nullable: true }) labels!: string[] | null;
  @Column('jsonb') budget!: Budget;
  /** Decisions of the closed loop older than this were made under another budget. */
  @Column('timestamptz') budgetChangedAt!: Date;
  @Column('boolean') autoOptimize!: boolean;
  @Column('boolean', { default: false }) requireApproval!: boolean;
  @Column('boolean', { default: false }) trustContended!: boolean;
  @Column('text', { nullable: true }) datasetId!: string | null;
  @Column('timestamptz') createdAt!: Date;
}
