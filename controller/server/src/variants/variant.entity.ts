import type { Alternative, ArtifactFile, ErrorBody, Recipe, Report, SessionOptions, TensorSpec } from '@espalier/proto';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What the builder made, beyond its report: what a manifest needs. */
export interface BuiltParts {
  readonly entry: string;
  /** Absent in builds of before. */
  readonly alternatives?: Alternative[];
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  readonly sessionOptions: SessionOptions;
  readonly golden: { path: string; tolerance: Record<string, number> };
}

/** A model built for a hardware profile: an artifact in the store and the report that proves it. */
@Entity('variant')
@Index('IDX_variant_model', ['modelId'])
@Index('IDX_variant_digest', ['digest'])
export class VariantEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') modelId!: string;
  @Column('text') profile!: string;
  /** The recipe asked for; `method` is what came out. */
  @Column('text') recipe!: Recipe;
  @Column('text') method!: string;
  @Column('text') state!: 'building' | 'ready' | 'failed';
  @Column('text', { nullable: true }) note!: string | null;
  @Column('text', { nullable: true }) digest!: string | null;
  @Column('jsonb') files!: ArtifactFile[];
  @Column('jsonb', { nullable: true }) parts!: BuiltParts | null;
  @Column('jsonb', { nullable: true }) report!: Report | null;
  /** Latency that the table said when its widths were chosen, and what a device measured before it served. */
  @Column('double precision', { nullable: true }) predictedUs!: number | null;
  @Column('double precision', { nullable: true }) trialUs!: number | null;
  @Column('jsonb', { nullable: true }) error!: ErrorBody | null;
  @Column('text', { nullable: true }) jobId!: string | null;
  @Column('timestamptz') createdAt!: Date;
}

/** One signed manifest of a variant. The counter is unique per model name and profile: a device takes no lower one. */
@Entity('release')
@Index('UQ_release_counter', ['modelName', 'profile', 'counter'], { unique: true })
@Index('IDX_release_variant', ['variantId'])
export class ReleaseEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text') variantId!: string;
  @Column('text') modelName!: string;
  @Column('text') profile!: string;
  @Column('int') counter!: number;
  @Column('text') manifestSha256!: string;
  @Column('int') manifestBytes!: number;
  @Column('text') keyid!: string;
  @Column('timestamptz') createdAt!: Date;
  @Column('timestamptz') expiresAt!: Date;
}
