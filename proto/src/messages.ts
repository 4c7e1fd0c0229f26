import { z } from 'zod';
import { Sha256 } from './manifest.js';
import { QualitySketch } from './quality.js';

export const ErrorInfo = z.object({
  code: z.string(),
  message: z.string(),
  action: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** The update states of docs/update.md, as the journal writes and the device reports them. */
export const UpdateStep = z.enum([
  'ACCEPT',
  'DOWNLOAD',
  'VERIFY',
  'STAGE',
  'SELF_TEST',
  'READY',
  'SWITCH',
  'HEALTH',
  'COMMIT',
  'ROLLBACK',
  'CLEANUP',
]);
export type UpdateStep = z.infer<typeof UpdateStep>;

export const ExecutionState = z.enum([
  'QUEUED',
  'IN_PROGRESS',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'REJECTED',
  'REMOVED',
  'CANCELED',
]);
export type ExecutionState = z.infer<typeof ExecutionState>;

/** Presence: sent at connect; the broker sends `online: false` as the last will [MQTT 3.1.1, 3.1.2.5]. */
export const StatusMessage = z.object({
  online: z.boolean(),
  bootId: z.string().nullable(),
  sessionId: z.string(),
  agentVersion: z.string(),
  at: z.iso.datetime().nullable(),
});

/** Progress or end of one execution. `sequence` grows within an execution; the controller ignores an older one. */
export const ExecutionMessage = z.object({
  executionId: z.string(),
  digest: Sha256,
  sequence: z.int().nonnegative(),
  state: z.enum(['IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED', 'CANCELED']),
  step: UpdateStep.nullable(),
  progress: z.number().min(0).max(1).nullable(),
  error: ErrorInfo.nullable(),
  at: z.iso.datetime(),
});
export type ExecutionMessage = z.infer<typeof ExecutionMessage>;

/** What a device serves now. Sent after every switch, at connect, and when it degrades. */
export const ServingMessage = z.object({
  digest: Sha256.nullable(),
  previousDigest: Sha256.nullable(),
  model: z.string().nullable(),
  healthy: z.boolean(),
  endpoint: z.string().nullable(),
  error: ErrorInfo.nullable(),
  at: z.iso.datetime(),
});

export const WindowClass = z.enum(['clean', 'contended', 'throttled', 'unstable']);
export type WindowClass = z.infer<typeof WindowClass>;

/** With the profile, the key under which figures may be compared. */
export const RuntimeKey = z.object({
  adapter: z.string(),
  version: z.string(),
  optionsDigest: z.string(),
  powerMode: z.string().nullable(),
  soc: z.string().nullable(),
});
export type RuntimeKey = z.infer<typeof RuntimeKey>;

/**
 * Latency of one measuring window on the device, microseconds from the intended arrival.
 * p95 is null below 90 samples, p99 below 459. `histogram` is HDR V2, compressed, base64, mergeable across devices.
 */
export const MeasurementMessage = z.object({
  digest: Sha256,
  scenario: z.enum(['single-stream', 'live']),
  batch: z.int().positive(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  n: z.int().nonnegative(),
  p50Us: z.int().nonnegative(),
  p95Us: z.int().nonnegative().nullable(),
  p99Us: z.int().nonnegative().nullable(),
  histogram: z.string(),
  class: WindowClass,
  /** First inference after load, apart from the warm figures. */
  coldStartUs: z.int().nonnegative().nullable(),
  rssBytes: z.int().nonnegative(),
  temperatureC: z.number().nullable(),
  errors: z.int().nonnegative(),
  /** Rows of a network with early exits by the stage at which they ended, since it was loaded. */
  exits: z.array(z.int().nonnegative()).optional(),
  /** What the model said meanwhile, of live requests to a classifier. */
  quality: QualitySketch.nullish(),
  runtime: RuntimeKey,
});
export type MeasurementMessage = z.infer<typeof MeasurementMessage>;
