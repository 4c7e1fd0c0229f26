import { z } from 'zod';
import { SampleType } from '../sampling.js';
import { Id, Instant } from './common.js';

/** What devices may keep of the inputs of a model. `enabled: false` is how every model begins. */
export const SamplingPolicy = z.object({
  enabled: z.boolean(),
  /** An input may be kept when the largest probability of its answer is below this. */
  confidenceBelow: z.number().gt(0).max(1),
  /** Most samples of one device in a day. */
  perDay: z.int().min(1).max(1000),
  /** Most bytes that one device holds, and sends in a day. */
  bytesMax: z
    .int()
    .min(64 * 1024)
    .max(1024 * 1024 * 1024),
  /** Days on the device and on the controller. */
  retentionDays: z.int().min(1).max(365),
});
export type SamplingPolicy = z.infer<typeof SamplingPolicy>;

/** GET and PUT /models/:id/sampling (admins). */
export const SamplingView = z.object({
  policy: SamplingPolicy,
  changedBy: z.string().nullable(),
  changedAt: Instant.nullable(),
  /** Why devices cannot sample this model, a sentence; null where they can. */
  unfit: z.string().nullable(),
  /** Devices that are asked to keep samples now. */
  devices: z.int(),
  counts: z.object({ open: z.int(), labelled: z.int(), unusable: z.int() }),
  /** Bytes kept on the controller, and the most that it keeps of one model. */
  sizeBytes: z.int(),
  sizeBytesMax: z.int(),
  /** Names of the classes; numbers where the model has no labels. */
  labels: z.array(z.string()),
});
export type SamplingView = z.infer<typeof SamplingView>;

/** `open` waits for a person. */
export const FieldSampleState = z.enum(['open', 'labelled', 'unusable']);
export type FieldSampleState = z.infer<typeof FieldSampleState>;

export const FieldSampleRow = z.object({
  id: Id,
  modelId: Id,
  deviceId: Id,
  deviceName: z.string().nullable(),
  takenAt: Instant,
  /** When the controller deletes it. */
  keptUntil: Instant,
  guess: z.int(),
  confidence: z.number(),
  state: FieldSampleState,
  label: z.int().nullable(),
  labelledBy: z.string().nullable(),
  /** A picture by the model's preprocessing (GET /field-samples/:id/picture), else its values (.../values). */
  shownAs: z.enum(['picture', 'values']),
});
export type FieldSampleRow = z.infer<typeof FieldSampleRow>;

/** GET /models/:id/field-samples: the newest first. */
export const FieldSampleQuery = z.object({
  state: FieldSampleState.default('open'),
  cursor: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(100).default(24),
});

/** GET /field-samples/:id/values */
export const FieldSampleValues = z.object({
  input: z.string(),
  type: SampleType,
  shape: z.array(z.int()),
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  /** The first of them, at most 64. */
  first: z.array(z.number()),
});
export type FieldSampleValues = z.infer<typeof FieldSampleValues>;

/** PUT /field-samples/:id/label: a class, or null with `usable: false` for what nobody can tell; null and true: open again. */
export const LabelFieldSample = z.object({
  label: z.int().nonnegative().nullable(),
  usable: z.boolean().default(true),
});
export type LabelFieldSample = z.infer<typeof LabelFieldSample>;

/** POST /models/:id/field-samples/dataset: the labelled samples as a data set, appended to the model's evaluation data. */
export const MakeFieldDataset = z.object({ name: z.string().min(1).max(64).optional() });
