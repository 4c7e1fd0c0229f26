import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What classifiers on devices say, hour by hour. */
export class Quality1790000000008 implements MigrationInterface {
  readonly name = 'Quality1790000000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE "quality" (
         "deviceId" text NOT NULL, "digest" text NOT NULL, "hour" TIMESTAMP WITH TIME ZONE NOT NULL, "sketch" jsonb NOT NULL,
         CONSTRAINT "PK_quality" PRIMARY KEY ("deviceId", "digest", "hour"))`,
    );
    await runner.query('CREATE INDEX "IDX_quality_digest" ON "quality" ("digest", "hour")');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE "quality"');
  }
}
