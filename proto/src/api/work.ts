import { z } from 'zod';
import { LatencyTable } from '../latency-table.js';
import { ErrorInfo } from '../messages.js';
import { Id, Instant } from './common.js';
import { ExecutionView } from './devices.js';

export const JobState = z.enum(['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED']);
export type JobState = z.infer<typeof JobState>;

/** A step of a training: how far the build was, and the loss. */
export const CurvePoint = z.object({ share: z.number().min(0).max(1), loss: z.number() });
export type CurvePoint = z.infer<typeof CurvePoint>;

export const JobPartState = z.enum(['waiting', 'building', 'ready', 'failed']);
export type JobPartState = z.infer<typeof JobPartState>;

/** One of the builds of a job; a part that failed stops none of the others. */
export const JobPartView = z.object({
  variantId: Id,
  profile: z.string(),
  recipe: z.string(),
  state: JobPartState,
  step: z.string().nullable(),
  progress: z.number().min(0).max(1),
  error: ErrorInfo.nullable(),
});
export type JobPartView = z.infer<typeof JobPartView>;

export const JobView = z.object({
  id: Id,
  kind: z.enum(['build-variant', 'plan-timing']),
  title: z.string(),
  state: JobState,
  modelId: Id.nullable(),
  /** Null, like profile and recipe, where it makes several builds: see `parts`. */
  variantId: Id.nullable(),
  profile: z.string().nullable(),
  recipe: z.string().nullable(),
  requestedBy: z.string(),
  attempt: z.int(),
  step: z.string().nullable(),
  stepIndex: z.int().nullable(),
  steps: z.int().nullable(),
  progress: z.number().min(0).max(1),
  /** Seconds left, from this profile's past jobs; null when there are none. */
  etaSeconds: z.object({ low: z.number(), high: z.number() }).nullable(),
  log: z.array(z.object({ at: Instant, text: z.string() })),
  /** Empty for a build that trains nothing. */
  curve: z.array(CurvePoint),
  /** The builds it makes, in order; empty for other kinds of work. */
  parts: z.array(JobPartView),
  error: ErrorInfo.nullable(),
  createdAt: Instant,
  startedAt: Instant.nullable(),
  endedAt: Instant.nullable(),
});
export type JobView = z.infer<typeof JobView>;

export const RolloutState = z.enum([
  'CREATING',
  'READY',
  'STARTING',
  'RUNNING',
  'PAUSED',
  'FINISHED',
  'STOPPING',
  'STOPPED',
  'ROLLING_BACK',
  'ROLLED_BACK',
]);
export type RolloutState = z.infer<typeof RolloutState>;
export const GroupState = z.enum(['CREATING', 'READY', 'SCHEDULED', 'RUNNING', 'SOAKING', 'FINISHED', 'ERROR']);
export type GroupState = z.infer<typeof GroupState>;

/** Size of one group: a share of the matching devices in percent, at least one device. The last group takes the rest. */
export const GroupPlan = z.object({
  name: z.string().min(1).max(40),
  percent: z.number().gt(0).max(100),
  /** Of the group's frozen denominator, percent. */
  successThreshold: z.number().min(1).max(100).default(95),
  errorThreshold: z.number().min(1).max(100).default(20),
  soakSeconds: z.int().min(0).default(0),
});
export type GroupPlan = z.infer<typeof GroupPlan>;

/** The gate on what devices measured; null fields do not gate. */
export const GatePlan = z.object({
  p95Us: z.int().positive().nullable().default(null),
  /** The measured p95 may not exceed the previous variant's by more than this factor. */
  maxRegression: z.number().positive().nullable().default(1.25),
  minDevices: z.int().min(1).default(1),
});
export type GatePlan = z.infer<typeof GatePlan>;

/** POST /rollouts. Each device gets the ready variant of its profile: the named ones, or else the best of the model. */
export const CreateRollout = z.object({
  modelId: Id,
  variantIds: z.array(Id).default([]),
  name: z.string().max(80).optional(),
  /** Device filter as in GET /devices; empty = all. */
  filter: z.string().default(''),
  groups: z
    .array(GroupPlan)
    .min(1)
    .max(20)
    .default([
      { name: 'canary', percent: 5, successThreshold: 100, errorThreshold: 20, soakSeconds: 60 },
      { name: '25%', percent: 25, successThreshold: 95, errorThreshold: 20, soakSeconds: 60 },
      { name: 'all', percent: 100, successThreshold: 95, errorThreshold: 20, soakSeconds: 0 },
    ]),
  gate: GatePlan.default({ p95Us: null, maxRegression: 1.25, minDevices: 1 }),
  start: z.boolean().default(true),
});
export type CreateRollout = z.infer<typeof CreateRollout>;

/** One gate of a group, per profile cohort: value against threshold, and what it rests on. */
export const GateView = z.object({
  name: z.string(),
  profile: z.string().nullable(),
  value: z.number().nullable(),
  threshold: z.number(),
  unit: z.enum(['percent', 'us', 'ratio', 'seconds']),
  n: z.int(),
  minimum: z.int(),
  verdict: z.enum(['ok', 'waiting', 'blocks']),
  reason: z.string(),
});
export type GateView = z.infer<typeof GateView>;

export const GroupView = z.object({
  index: z.int(),
  name: z.string(),
  state: GroupState,
  total: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  inFlight: z.int(),
  queued: z.int(),
  skipped: z.int(),
  soakUntil: Instant.nullable(),
  plan: GroupPlan,
  gates: z.array(GateView),
});
export type GroupView = z.infer<typeof GroupView>;

export const RolloutRow = z.object({
  id: Id,
  name: z.string(),
  modelId: Id,
  model: z.string(),
  modelVersion: z.string(),
  state: RolloutState,
  /** Why it is in this state: who or what paused, stopped or rolled it back, with numbers. */
  reason: z.string().nullable(),
  createdBy: z.string(),
  total: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  inFlight: z.int(),
  currentGroup: z.int().nullable(),
  groups: z.int(),
  createdAt: Instant,
  endedAt: Instant.nullable(),
});
export type RolloutRow = z.infer<typeof RolloutRow>;

/** GET /rollouts/:id */
export const RolloutView = RolloutRow.extend({
  groupViews: z.array(GroupView),
  abort: z.array(
    z.object({
      criterion: z.enum(['FAILED', 'TIMED_OUT']),
      valuePercent: z.number(),
      thresholdPercent: z.number(),
      executed: z.int(),
      minExecuted: z.int(),
    }),
  ),
  executions: z.array(ExecutionView),
  variants: z.array(z.object({ variantId: Id, profile: z.string(), method: z.string(), devices: z.int() })),
  history: z.array(z.object({ at: Instant, text: z.string() })),
  decisionId: Id.nullable(),
});
export type RolloutView = z.infer<typeof RolloutView>;

/** POST /rollouts/:id/{pause,resume,stop,rollback} with an optional reason. */
export const RolloutCommand = z.object({ reason: z.string().max(500).optional() });

export const DecisionAction = z.enum([
  ...['build', 'measure', 'try', 'ask', 'approved', 'declined', 'rollout', 'promoted'],
  ...['rolled-back', 'rejected', 'offered', 'nothing-left'],
] as const);
export type DecisionAction = z.infer<typeof DecisionAction>;

/** GET /models/:id/tables: what devices of each profile measured of the model's operators, and what is under way. */
export const TableView = z.object({
  profile: z.string(),
  state: z.enum(['measured', 'measuring', 'stale', 'failed', 'imported']),
  /** Why it is stale, failed, or not there yet. */
  reason: z.string().nullable(),
  jobId: Id.nullable(),
  table: LatencyTable.nullable(),
  devices: z.array(z.string()),
  leftOut: z.array(z.object({ deviceId: z.string(), reason: z.string() })),
  /** Time of one device that it took. */
  deviceSeconds: z.number().nullable(),
  measuredAt: Instant.nullable(),
});
export type TableView = z.infer<typeof TableView>;

/** One width of each operator, as a compiler's own output or from the roof of a processor; decides no rollout. */
const LAYERS_MAX = 5_000_000;
export const ImportTable = z.discriminatedUnion('format', [
  z.object({
    profile: Id,
    format: z.literal('vela'),
    text: z.string().max(LAYERS_MAX),
    clockMhz: z.number().positive(),
  }),
  z.object({ profile: Id, format: z.literal('rknn'), text: z.string().max(LAYERS_MAX) }),
  z.object({ profile: Id, format: z.literal('ai-hub'), text: z.string().max(LAYERS_MAX) }),
  z.object({
    profile: Id,
    format: z.literal('roofline'),
    gigaMacsPerS: z.number().positive(),
    gigaBytesPerS: z.number().positive(),
    startUs: z.number().nonnegative(),
  }),
]);
export type ImportTable = z.infer<typeof ImportTable>;

/** POST /models/:id/tables: devices of the profile measure a table when they are idle. */
export const MeasureTable = z.object({ profile: Id });

/** What the closed loop would do now for one model on one profile, or what it waits for. GET /decisions/now */
export const OutlookView = z.object({
  modelId: Id,
  model: z.string(),
  profile: z.string(),
  kind: z.string(),
  reason: z.string(),
});
export type OutlookView = z.infer<typeof OutlookView>;

/** One card of the closed-loop story. */
export const DecisionView = z.object({
  id: Id,
  modelId: Id,
  model: z.string(),
  profile: z.string(),
  action: DecisionAction,
  /** What called for it; null where a rollout or a person did. */
  trigger: z.enum(['budget-missed', 'better-candidate', 'new-runtime', 'new-version', 'new-profile']).nullable(),
  /** Steps of the ladder that were passed over. */
  skipped: z.array(z.object({ rung: z.string(), reason: z.string() })),
  recipe: z.string().nullable(),
  reason: z.string(),
  /** The figures the decision rests on, by name, units last in the name. */
  numbers: z.record(z.string(), z.number().nullable()),
  jobId: Id.nullable(),
  variantId: Id.nullable(),
  rolloutId: Id.nullable(),
  at: Instant,
});
export type DecisionView = z.infer<typeof DecisionView>;

/** GET /sample and POST /sample (runs it again). */
export const SampleView = z.object({
  state: z.enum(['idle', 'running', 'done', 'failed']),
  step: z.string().nullable(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['waiting', 'running', 'done', 'failed']),
      text: z.string().nullable(),
    }),
  ),
  modelId: Id.nullable(),
  deviceId: Id.nullable(),
  rolloutId: Id.nullable(),
  error: ErrorInfo.nullable(),
});
export type SampleView = z.infer<typeof SampleView>;

/** GET /system */
export const SystemView = z.object({
  version: z.string(),
  startedAt: Instant,
  database: z.object({ kind: z.enum(['embedded', 'postgresql']), ok: z.boolean() }),
  broker: z.object({ kind: z.enum(['embedded', 'external']), ok: z.boolean(), url: z.string() }),
  grpcUrl: z.string(),
  empty: z.boolean(),
});
export type SystemView = z.infer<typeof SystemView>;
