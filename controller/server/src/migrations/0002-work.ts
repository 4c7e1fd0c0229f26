import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Models, data, variants and their releases, jobs, rollouts, decisions of the closed loop, the sample. */
export class Work1790000000002 implements MigrationInterface {
  readonly name = 'Work1790000000002';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...MODELS, ...JOBS, ...ROLLOUTS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`DROP TABLE "${table}"`);
  }
}

const TABLES = [
  ...['model', 'dataset', 'variant', 'release', 'job'],
  ...['rollout', 'rollout_group', 'execution', 'decision', 'sample'],
];

const MODELS = [
  `CREATE TABLE "model" (
    "id" text NOT NULL, "name" text NOT NULL, "version" text NOT NULL, "fileSha256" text NOT NULL,
    "sizeBytes" bigint NOT NULL, "info" jsonb NOT NULL, "preprocess" jsonb, "labels" jsonb, "budget" jsonb NOT NULL,
    "budgetChangedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "autoOptimize" boolean NOT NULL, "datasetId" text,
    "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_model" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX "UQ_model_name_version" ON "model" ("name", "version")`,
  `CREATE TABLE "dataset" (
    "id" text NOT NULL, "name" text NOT NULL, "calibrate" text NOT NULL, "evaluate" text, "labelled" boolean NOT NULL,
    "calibrationSamples" integer NOT NULL, "evaluationSamples" integer NOT NULL, "sampleShape" jsonb NOT NULL,
    "sizeBytes" bigint, "digest" text, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_dataset" PRIMARY KEY ("id"))`,
  `CREATE TABLE "variant" (
    "id" text NOT NULL, "modelId" text NOT NULL, "profile" text NOT NULL, "recipe" text NOT NULL,
    "method" text NOT NULL, "state" text NOT NULL, "note" text, "digest" text, "files" jsonb NOT NULL, "parts" jsonb,
    "report" jsonb, "error" jsonb, "jobId" text, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_variant" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_variant_model" ON "variant" ("modelId")`,
  `CREATE INDEX "IDX_variant_digest" ON "variant" ("digest")`,
  `CREATE TABLE "release" (
    "id" text NOT NULL, "variantId" text NOT NULL, "modelName" text NOT NULL, "profile" text NOT NULL,
    "counter" integer NOT NULL, "manifestSha256" text NOT NULL, "manifestBytes" integer NOT NULL,
    "keyid" text NOT NULL, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    "expiresAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_release" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX "UQ_release_counter" ON "release" ("modelName", "profile", "counter")`,
  `CREATE INDEX "IDX_release_variant" ON "release" ("variantId")`,
];

const JOBS = [
  `CREATE TABLE "job" (
    "id" text NOT NULL, "kind" text NOT NULL, "title" text NOT NULL, "state" text NOT NULL, "modelId" text,
    "variantId" text, "profile" text, "recipe" text, "datasetId" text, "requestedBy" text NOT NULL,
    "attempt" integer NOT NULL DEFAULT 0, "cancelAsked" boolean NOT NULL DEFAULT false, "owner" text,
    "leaseUntil" TIMESTAMP WITH TIME ZONE, "step" text, "stepIndex" integer, "steps" integer,
    "progress" double precision NOT NULL DEFAULT 0, "log" jsonb NOT NULL DEFAULT '[]', "error" jsonb,
    "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "startedAt" TIMESTAMP WITH TIME ZONE,
    "endedAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_job" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_job_state" ON "job" ("state", "createdAt")`,
];

const ROLLOUTS = [
  `CREATE TABLE "rollout" (
    "id" text NOT NULL, "name" text NOT NULL, "modelId" text NOT NULL, "state" text NOT NULL, "reason" text,
    "createdBy" text NOT NULL, "filter" text NOT NULL, "gate" jsonb NOT NULL, "history" jsonb NOT NULL DEFAULT '[]',
    "decisionId" text, "leaseUntil" TIMESTAMP WITH TIME ZONE, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    "endedAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_rollout" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_rollout_state" ON "rollout" ("state")`,
  `CREATE TABLE "rollout_group" (
    "rolloutId" text NOT NULL, "index" integer NOT NULL, "plan" jsonb NOT NULL, "state" text NOT NULL,
    "total" integer, "startedAt" TIMESTAMP WITH TIME ZONE, "soakUntil" TIMESTAMP WITH TIME ZONE,
    "blockedSince" TIMESTAMP WITH TIME ZONE, "gates" jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT "PK_rollout_group" PRIMARY KEY ("rolloutId", "index"))`,
  `CREATE TABLE "execution" (
    "id" text NOT NULL, "rolloutId" text NOT NULL, "deviceId" text NOT NULL, "deviceName" text NOT NULL,
    "profile" text NOT NULL, "group" integer NOT NULL, "direction" text NOT NULL, "state" text NOT NULL, "step" text,
    "progress" double precision, "variantId" text, "digest" text, "previousDigest" text,
    "sequence" integer NOT NULL DEFAULT -1, "attempt" integer NOT NULL DEFAULT 0,
    "skipped" boolean NOT NULL DEFAULT false, "settled" boolean NOT NULL DEFAULT false, "error" jsonb,
    "dispatchedAt" TIMESTAMP WITH TIME ZONE, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_execution" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_execution_rollout" ON "execution" ("rolloutId")`,
  `CREATE INDEX "IDX_execution_device" ON "execution" ("deviceId")`,
  `CREATE TABLE "decision" (
    "id" text NOT NULL, "modelId" text NOT NULL, "profile" text NOT NULL, "action" text NOT NULL, "recipe" text,
    "reason" text NOT NULL, "numbers" jsonb NOT NULL, "jobId" text, "variantId" text, "rolloutId" text,
    "at" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_decision" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_decision_model" ON "decision" ("modelId", "profile", "at")`,
  `CREATE TABLE "sample" (
    "id" text NOT NULL, "state" text NOT NULL, "steps" jsonb NOT NULL, "modelId" text, "deviceId" text,
    "rolloutId" text, "error" jsonb, "startedAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_sample" PRIMARY KEY ("id"))`,
];
