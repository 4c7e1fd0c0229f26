import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How the loss of a build's training went. */
export class TrainingCurve1790000000006 implements MigrationInterface {
  readonly name = 'TrainingCurve1790000000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "job" ADD "curve" jsonb NOT NULL DEFAULT '[]'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE "job" DROP "curve"');
  }
}
