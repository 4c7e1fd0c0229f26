import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Who did what to what. Rows are only ever added. */
@Entity('audit')
@Index('IDX_audit_at', ['at'])
export class AuditEntity {
  @PrimaryColumn('text') id!: string;
  @Column('timestamptz') at!: Date;
  @Column('text') who!: string;
  @Column('text') action!: string;
  @Column('text') subject!: string;
  @Column('jsonb', { default: {} }) details!: Record<string, unknown>;
}
