import type { LatencyTable } from '@espalier/proto';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A table that no device measured: of a compiler, or of a roof. The newest of a model and profile. */
@Entity('imported_table')
export class ImportedTableEntity {
  @PrimaryColumn('text') modelId!: string;
  @PrimaryColumn('text') profile!: string;
  @Column('jsonb') table!: LatencyTable;
  @Column('jsonb') unmatched!: readonly string[];
  @Column('text') importedBy!: string;
  @Column('timestamptz') importedAt!: Date;
}
