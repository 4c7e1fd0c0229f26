import type { QualitySketch } from '@espalier/proto';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What one device's model said to live requests in one hour. */
@Entity('quality')
@Index('IDX_quality_digest', ['digest', 'hour'])
export class QualityEntity {
  @PrimaryColumn('text') deviceId!: string;
  @PrimaryColumn('text') digest!: string;
  @PrimaryColumn('timestamptz') hour!: Date;
  @Column('jsonb') sketch!: QualitySketch;
}
