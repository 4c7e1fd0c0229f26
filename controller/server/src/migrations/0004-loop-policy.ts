import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who may be changed by the closed loop, and what led to each of its decisions. */
export class LoopPolicy1790000000004 implements MigrationInterface {
  readonly name = 'LoopPolicy1790000000004';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `ALTER TABLE "model" ADD "requireApproval" boolean NOT NULL DEFAULT false,
    ADD "trustContended" boolean NOT NULL DEFAULT false`,
  `ALTER TABLE "decision" ADD "trigger" text, ADD "skipped" jsonb NOT NULL DEFAULT '[]'`,
  `CREATE TABLE "loop_switch" (
    "modelId" text NOT NULL, "profile" text NOT NULL, "who" text NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_loop_switch" PRIMARY KEY ("modelId", "profile"))`,
];

const DOWN = [
  'DROP TABLE "loop_switch"',
  'ALTER TABLE "decision" DROP "trigger", DROP "skipped"',
  'ALTER TABLE "model" DROP "requireApproval", DROP "trustContended"',
];
