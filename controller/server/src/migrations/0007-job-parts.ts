import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The builds that one job makes, each with how far it is. */
export class JobParts1790000000007 implements MigrationInterface {
  readonly name = 'JobParts1790000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "job" ADD "parts" jsonb NOT NULL DEFAULT '[]'`);
    // Jobs from before build one variant each.
    await runner.query(
      `UPDATE "job" SET "parts" = jsonb_build_array(jsonb_build_object(
         'variantId', "variantId", 'profile', profile, 'recipe', recipe, 'error', error,
         'step', null, 'progress', progress,
         'state', CASE state WHEN 'SUCCEEDED' THEN 'ready' WHEN 'QUEUED' THEN 'waiting'
                             WHEN 'RUNNING' THEN 'waiting' ELSE 'failed' END))
       WHERE kind = 'build-variant' AND "variantId" IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE "job" DROP "parts"');
  }
}
