import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The closed loop's lease: of several controllers on one database, one decides at a time. */
export class LoopLease1790000000003 implements MigrationInterface {
  readonly name = 'LoopLease1790000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE "loop_lease" (
      "id" integer NOT NULL, "until" TIMESTAMP WITH TIME ZONE,
      CONSTRAINT "PK_loop_lease" PRIMARY KEY ("id"), CONSTRAINT "CK_loop_lease_one" CHECK ("id" = 1))`);
    await runner.query('INSERT INTO "loop_lease" ("id", "until") VALUES (1, NULL)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE "loop_lease"');
  }
}
