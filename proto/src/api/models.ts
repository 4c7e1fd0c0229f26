import { z } from 'zod';
import { TensorSpec } from '../manifest.js';
import { ErrorInfo } from '../messages.js';
import { Preprocess } from '../preprocess.js';
import { Recipe, Report } from '../report.js';
import { Id, Instant, MeasuredLatency } from './common.js';

/** What a model must keep to. null: no limit. Drop in points of top-1 (or of agreement without labels). */
export const Budget = z.object({
  maxAccuracyDrop: z.number().min(0).max(100).nullable(),
  p95Us: z.int().positive().nullable(),
  maxSizeBytes: z.int().positive().nullable(),
});
export type Budget = z.infer<typeof Budget>;

export const ModelInfo = z.object({
  opset: z.int(),
  irVersion: z.int(),
  producer: z.string(),
  inputs: z.array(TensorSpec),
  outputs: z.array(TensorSpec),
  operators: z.record(z.string(), z.int()),
  parameters: z.int(),
  sizeBytes: z.int(),
  warnings: z.array(z.string()),
});
export type ModelInfo = z.infer<typeof ModelInfo>;

export const ModelRow = z.object({
  id: Id,
  name: z.string(),
  version: z.string(),
  sizeBytes: z.int(),
  budget: Budget,
  autoOptimize: z.boolean(),
  /** A person approves each rollout of the closed loop. */
  requireApproval: z.boolean(),
  /** Windows in which others used the processor may start something too. */
  trustContended: z.boolean(),
  datasetId: Id.nullable(),
  variants: z.int(),
  devices: z.int(),
  createdAt: Instant,
});
export type ModelRow = z.infer<typeof ModelRow>;

/** POST /models?name=&version=&fileName= with the ONNX file as application/octet-stream -> ModelView. */
export const UploadModelQuery = z.object({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'letters, digits, dot, dash and underscore')
    .optional(),
  version: z.string().max(32).optional(),
  fileName: z.string().max(255).optional(),
});

/** PATCH /models/:id */
export const UpdateModel = z
  .object({
    budget: Budget,
    autoOptimize: z.boolean(),
    requireApproval: z.boolean(),
    trustContended: z.boolean(),
    datasetId: Id.nullable(),
    preprocess: Preprocess.nullable(),
    labels: z.array(z.string()).nullable(),
  })
  .partial();
export type UpdateModel = z.infer<typeof UpdateModel>;

/** PUT /models/:id/loop/:profile: the closed loop's switch for one profile of a model. */
export const LoopSwitch = z.object({ automatic: z.boolean() });
export type LoopSwitch = z.infer<typeof LoopSwitch>;

export const VariantRow = z.object({
  id: Id,
  modelId: Id,
  model: z.string(),
  modelVersion: z.string(),
  profile: z.string(),
  method: z.string(),
  state: z.enum(['building', 'ready', 'failed']),
  /** The builder kept float though int8 was asked, and why; null otherwise. */
  note: z.string().nullable(),
  digest: z.string().nullable(),
  sizeBytes: z.int().nullable(),
  sizeRatio: z.number().nullable(),
  top1: z.number().nullable(),
  top1Float: z.number().nullable(),
  n: z.int().nullable(),
  fixed: z.int().nullable(),
  broken: z.int().nullable(),
  /** Latency in the proof, on the controller's machine; null where the profile does not fit it. */
  proofP50Us: z.number().nullable(),
  proofSpeedup: z.number().nullable(),
  /** p50 by the latency table, and what one device measured before it served anywhere; microseconds. */
  predictedUs: z.number().nullable(),
  trialUs: z.number().nullable(),
  /** Measured on devices that serve it. */
  measured: MeasuredLatency.nullable(),
  accuracyOk: z.boolean().nullable(),
  jobId: Id.nullable(),
  error: ErrorInfo.nullable(),
  createdAt: Instant,
});
export type VariantRow = z.infer<typeof VariantRow>;

/** GET /variants/:id; the artifact itself is GET /variants/:id/artifact. */
export const VariantView = VariantRow.extend({
  report: Report.nullable(),
  files: z.array(z.object({ path: z.string(), bytes: z.int(), sha256: z.string() })),
  keyid: z.string().nullable(),
  releaseCounter: z.int().nullable(),
});
export type VariantView = z.infer<typeof VariantView>;

/** GET /models/:id */
export const ModelView = ModelRow.extend({
  info: ModelInfo,
  preprocess: Preprocess.nullable(),
  labels: z.array(z.string()).nullable(),
  variantRows: z.array(VariantRow),
  /** The profiles of enrolled devices, and whether the budget is met there now. */
  fleet: z.array(
    z.object({
      profile: z.string(),
      devices: z.int(),
      serving: z.string().nullable(),
      /** The closed loop's switch for this profile. */
      automatic: z.boolean(),
      latency: MeasuredLatency.nullable(),
      verdict: z.enum(['meets', 'misses', 'unmeasured', 'no-budget']),
    }),
  ),
});
export type ModelView = z.infer<typeof ModelView>;

/**
 * POST /models/:id/optimize: empty profiles = those of the fleet. One job makes all the builds; the answer is that job, and
 * those that make some of them already.
 */
export const OptimizeModel = z.object({
  profiles: z.array(Id).default([]),
  recipes: z.array(Recipe).min(1).default(['float', 'int8']),
  datasetId: Id.nullable().optional(),
});

export const DatasetRow = z.object({
  id: Id,
  name: z.string(),
  /** The SPEC the readers understand, on the controller's machine. */
  calibrate: z.string(),
  evaluate: z.string().nullable(),
  labelled: z.boolean(),
  calibrationSamples: z.int(),
  evaluationSamples: z.int(),
  sampleShape: z.array(z.int()),
  sizeBytes: z.int().nullable(),
  digest: z.string().nullable(),
  /** Evaluation samples that devices kept and people labelled. */
  fieldSamples: z.int(),
  createdAt: Instant,
});
export type DatasetRow = z.infer<typeof DatasetRow>;

/** POST /datasets: a SPEC path on the controller's machine (admins). */
export const RegisterDataset = z.object({
  name: z.string().min(1).max(64),
  calibrate: z.string().min(1),
  evaluate: z.string().min(1).nullable().default(null),
});
/** POST /datasets/upload?name= with a .zip or .tar.gz (images and labels.csv, or an idx pair) as application/octet-stream. */
export const UploadDatasetQuery = z.object({
  name: z.string().min(1).max(64),
  fileName: z.string().max(255).optional(),
});

/** GET /models/ID/groups: channels that are removed together, and layers whose channels must stay. */
export const PruningGroups = z.object({
  groups: z.array(
    z.object({
      group: z.string(),
      channels: z.int(),
      /** A residual connection ties the channels of several layers. */
      tied: z.boolean(),
      producers: z.array(z.string()),
      consumers: z.array(z.string()),
    }),
  ),
  frozen: z.array(z.object({ node: z.string(), channels: z.int(), reason: z.string() })),
});
export type PruningGroups = z.infer<typeof PruningGroups>;
