import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Inputs that devices keep for labelling, by the model's policy, and data sets made of them. */
export class FieldSample1790000000010 implements MigrationInterface {
  readonly name = 'FieldSample1790000000010';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `CREATE TABLE "sampling_policy" (
    "modelId" text NOT NULL, "enabled" boolean NOT NULL, "confidenceBelow" double precision NOT NULL,
    "perDay" integer NOT NULL, "bytesMax" integer NOT NULL, "retentionDays" integer NOT NULL, "changedBy" text NOT NULL,
    "changedAt" TIMESTAMP WITH TIME ZONE NOT NULL, CONSTRAINT "PK_sampling_policy" PRIMARY KEY ("modelId"))`,
  `CREATE TABLE "field_sample" (
    "id" text NOT NULL, "modelId" text NOT NULL, "deviceId" text NOT NULL, "digest" text NOT NULL,
    "takenAt" TIMESTAMP WITH TIME ZONE NOT NULL, "receivedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "guess" integer NOT NULL,
    "confidence" double precision NOT NULL, "input" jsonb NOT NULL, "sizeBytes" integer NOT NULL, "state" text NOT NULL,
    "label" integer, "labelledBy" text, "labelledAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_field_sample" PRIMARY KEY ("id"))`,
  'CREATE INDEX "IDX_field_sample_model" ON "field_sample" ("modelId", "state", "takenAt")',
  'CREATE INDEX "IDX_field_sample_device" ON "field_sample" ("deviceId", "modelId", "takenAt")',
  'ALTER TABLE "desired" ADD "sampling" jsonb',
  'ALTER TABLE "dataset" ADD "fieldSamples" integer NOT NULL DEFAULT 0, ADD "fieldOf" text, ADD "baseId" text',
];

const DOWN = [
  'ALTER TABLE "dataset" DROP "fieldSamples", DROP "fieldOf", DROP "baseId"',
  'ALTER TABLE "desired" DROP "sampling"',
  'DROP TABLE "field_sample"',
  'DROP TABLE "sampling_policy"',
];
