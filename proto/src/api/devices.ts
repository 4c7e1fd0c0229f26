import { z } from 'zod';
import { Facts } from '../facts.js';
import { ErrorInfo, ExecutionState, UpdateStep, WindowClass } from '../messages.js';
import { Id, Instant, MeasuredLatency } from './common.js';

export const DeviceStatus = z.enum(['online', 'offline', 'degraded']);
export type DeviceStatus = z.infer<typeof DeviceStatus>;

/** The variant a device serves, had, or is to get. */
export const Served = z.object({
  variantId: Id.nullable(),
  digest: z.string(),
  model: z.string(),
  modelVersion: z.string(),
  method: z.string(),
});
export type Served = z.infer<typeof Served>;

/** One line of GET /devices. Filter terms: status:, profile:, model:, group:. */
export const DeviceRow = z.object({
  id: Id,
  name: z.string(),
  status: DeviceStatus,
  profile: z.string().nullable(),
  board: z.string().nullable(),
  serving: Served.nullable(),
  latency: MeasuredLatency.nullable(),
  lastSeenAt: Instant.nullable(),
  enrolledAt: Instant,
});
export type DeviceRow = z.infer<typeof DeviceRow>;

export const ExecutionView = z.object({
  id: Id,
  rolloutId: Id,
  deviceId: Id,
  deviceName: z.string(),
  group: z.int(),
  state: ExecutionState,
  step: UpdateStep.nullable(),
  progress: z.number().nullable(),
  variantId: Id.nullable(),
  error: ErrorInfo.nullable(),
  updatedAt: Instant,
});
export type ExecutionView = z.infer<typeof ExecutionView>;

/** GET /devices/:id */
export const DeviceView = DeviceRow.extend({
  facts: Facts.nullable(),
  /** The facts that made the profile match, in words. */
  matched: z.array(z.string()),
  previous: Served.nullable(),
  target: Served.nullable(),
  /** What the device waits for before it serves its target, or null. */
  waitsFor: z.string().nullable(),
  /** The runtime by which it serves, as its newest measurement says: adapter and version. */
  runtime: z.string().nullable(),
  endpoint: z.string().nullable(),
  error: ErrorInfo.nullable(),
  executions: z.array(ExecutionView),
  certificateExpiresAt: Instant,
});
export type DeviceView = z.infer<typeof DeviceView>;

/** GET /devices/:id/measurements?since= : newest last. */
export const MeasurementView = z.object({
  at: Instant,
  variantId: Id.nullable(),
  digest: z.string(),
  method: z.string().nullable(),
  scenario: z.string(),
  batch: z.int(),
  n: z.int(),
  p50Us: z.int(),
  p95Us: z.int().nullable(),
  p99Us: z.int().nullable(),
  class: WindowClass,
  rssBytes: z.int(),
  temperatureC: z.number().nullable(),
});
export type MeasurementView = z.infer<typeof MeasurementView>;

/** GET /fleet: the home page. */
export const FleetView = z.object({
  devices: z.object({ total: z.int(), online: z.int(), offline: z.int(), degraded: z.int() }),
  attention: z.array(
    z.object({
      severity: z.enum(['warning', 'failed']),
      code: z.string(),
      title: z.string(),
      reason: z.string(),
      action: z.string(),
      link: z.string(),
    }),
  ),
  served: z.array(
    z.object({
      model: z.string(),
      modelVersion: z.string(),
      method: z.string(),
      variantId: Id.nullable(),
      devices: z.int(),
    }),
  ),
  budgets: z.array(
    z.object({
      modelId: Id,
      model: z.string(),
      profile: z.string(),
      budgetP95Us: z.int().nullable(),
      latency: MeasuredLatency.nullable(),
      verdict: z.enum(['meets', 'misses', 'unmeasured', 'no-budget']),
    }),
  ),
  runningRollouts: z.int(),
  runningJobs: z.int(),
});
export type FleetView = z.infer<typeof FleetView>;

/** GET /profiles and /profiles/:id. `rules` are sentences with their source. */
export const ProfileView = z.object({
  id: Id,
  title: z.string(),
  extends: z.string().nullable(),
  devices: z.int(),
  rules: z.array(z.object({ topic: z.string(), text: z.string(), evidence: z.string() })),
  definition: z.record(z.string(), z.unknown()),
});
export type ProfileView = z.infer<typeof ProfileView>;
