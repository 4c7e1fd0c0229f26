import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Latency tables of compilers and of roofs. */
export class ImportedTable1790000000009 implements MigrationInterface {
  readonly name = 'ImportedTable1790000000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE "imported_table" (
         "modelId" text NOT NULL, "profile" text NOT NULL, "table" jsonb NOT NULL, "unmatched" jsonb NOT NULL,
         "importedBy" text NOT NULL, "importedAt" TIMESTAMP WITH TIME ZONE NOT NULL,
         CONSTRAINT "PK_imported_table" PRIMARY KEY ("modelId", "profile"))`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE "imported_table"');
  }
}
