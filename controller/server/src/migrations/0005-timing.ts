import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Networks that devices time: for latency tables, and to try a build before it serves. */
export class Timing1790000000005 implements MigrationInterface {
  readonly name = 'Timing1790000000005';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `CREATE TABLE "timing_plan" (
    "id" text NOT NULL, "kind" text NOT NULL, "modelId" text NOT NULL, "profile" text NOT NULL, "variantId" text,
    "state" text NOT NULL, "reason" text, "networks" jsonb NOT NULL, "sessionOptions" jsonb NOT NULL, "jobId" text,
    "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "endedAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_timing_plan" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_timing_plan_model" ON "timing_plan" ("modelId", "profile", "createdAt")`,
  `CREATE TABLE "timing_report" (
    "planId" text NOT NULL, "deviceId" text NOT NULL, "requestId" text NOT NULL, "state" text NOT NULL,
    "networks" jsonb NOT NULL, "runtime" jsonb, "deviceSeconds" double precision NOT NULL, "problem" text,
    "expiresAt" TIMESTAMP WITH TIME ZONE NOT NULL, "answeredAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_timing_report" PRIMARY KEY ("planId", "deviceId"))`,
  `ALTER TABLE "desired" ADD "timing" jsonb`,
  `ALTER TABLE "variant" ADD "predictedUs" double precision, ADD "trialUs" double precision`,
];

const DOWN = [
  'ALTER TABLE "variant" DROP "predictedUs", DROP "trialUs"',
  'ALTER TABLE "desired" DROP "timing"',
  'DROP TABLE "timing_report"',
  'DROP TABLE "timing_plan"',
];
