import type { MigrationInterface, QueryRunner } from 'typeorm';

/** People, devices, what devices are to do and what they report. */
export class Ground1790000000001 implements MigrationInterface {
  readonly name = 'Ground1790000000001';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...ACCESS, ...DEVICES]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`DROP TABLE "${table}"`);
  }
}

const TABLES = [
  ...['app_user', 'session', 'api_token', 'audit'],
  ...['device', 'enrolment_token', 'desired', 'inbox', 'measurement'],
];

const ACCESS = [
  `CREATE TABLE "app_user" (
    "id" text NOT NULL, "name" text NOT NULL, "role" text NOT NULL, "passwordHash" text,
    "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_app_user" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX "UQ_user_name" ON "app_user" ("name")`,
  `CREATE TABLE "session" (
    "secretHash" text NOT NULL, "kind" text NOT NULL, "userId" text NOT NULL,
    "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "expiresAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_session" PRIMARY KEY ("secretHash"))`,
  `CREATE INDEX "IDX_session_user" ON "session" ("userId")`,
  `CREATE TABLE "api_token" (
    "id" text NOT NULL, "name" text NOT NULL, "role" text NOT NULL, "secretHash" text NOT NULL,
    "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "lastUsedAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_api_token" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX "UQ_api_token_secret" ON "api_token" ("secretHash")`,
  `CREATE TABLE "audit" (
    "id" text NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, "who" text NOT NULL, "action" text NOT NULL,
    "subject" text NOT NULL, "details" jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT "PK_audit" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_audit_at" ON "audit" ("at")`,
];

const DEVICES = [
  `CREATE TABLE "device" (
    "id" text NOT NULL, "name" text NOT NULL, "profile" text, "matched" jsonb NOT NULL DEFAULT '[]', "facts" jsonb,
    "online" boolean NOT NULL DEFAULT false, "sessionId" text, "bootId" text,
    "lastSeenAt" TIMESTAMP WITH TIME ZONE,
    "servingDigest" text, "previousDigest" text, "servingModel" text, "healthy" boolean NOT NULL DEFAULT true,
    "endpoint" text, "error" jsonb, "servingAt" TIMESTAMP WITH TIME ZONE,
    "certificateSerial" text NOT NULL, "certificateExpiresAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    "enrolledAt" TIMESTAMP WITH TIME ZONE NOT NULL, "removedAt" TIMESTAMP WITH TIME ZONE,
    CONSTRAINT "PK_device" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_device_profile" ON "device" ("profile")`,
  `CREATE TABLE "enrolment_token" (
    "id" text NOT NULL, "name" text NOT NULL, "secretHash" text NOT NULL,
    "expiresAt" TIMESTAMP WITH TIME ZONE NOT NULL, "usedAt" TIMESTAMP WITH TIME ZONE, "usedBy" text,
    "createdBy" text NOT NULL, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_enrolment_token" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX "UQ_enrolment_secret" ON "enrolment_token" ("secretHash")`,
  `CREATE TABLE "desired" (
    "deviceId" text NOT NULL, "revision" integer NOT NULL, "target" jsonb, "cancel" jsonb NOT NULL DEFAULT '[]',
    "issuedAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_desired" PRIMARY KEY ("deviceId"))`,
  `CREATE TABLE "inbox" (
    "deviceId" text NOT NULL, "messageId" text NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT "PK_inbox" PRIMARY KEY ("deviceId", "messageId"))`,
  `CREATE INDEX "IDX_inbox_at" ON "inbox" ("at")`,
  `CREATE TABLE "measurement" (
    "id" text NOT NULL, "deviceId" text NOT NULL, "profile" text, "digest" text NOT NULL, "scenario" text NOT NULL,
    "batch" integer NOT NULL, "startedAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    "endedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "n" integer NOT NULL, "p50Us" integer NOT NULL, "p95Us" integer,
    "p99Us" integer, "histogram" text NOT NULL, "class" text NOT NULL, "coldStartUs" integer,
    "rssBytes" double precision NOT NULL, "temperatureC" double precision, "errors" integer NOT NULL,
    "runtime" jsonb NOT NULL,
    CONSTRAINT "PK_measurement" PRIMARY KEY ("id"))`,
  `CREATE INDEX "IDX_measurement_device" ON "measurement" ("deviceId", "endedAt")`,
  `CREATE INDEX "IDX_measurement_digest" ON "measurement" ("digest", "profile")`,
];
