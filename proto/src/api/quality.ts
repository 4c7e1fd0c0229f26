import { z } from 'zod';
import { QualitySketch } from '../quality.js';
import { Id } from './common.js';

/** `too-few`: fewer than 200 answers, or evaluation samples. */
export const DriftVerdict = z.enum(['steady', 'moving', 'drifted', 'too-few', 'unknown']);
export type DriftVerdict = z.infer<typeof DriftVerdict>;

/** How far one distribution is from that of the evaluation: population stability index, 0.1 moving, 0.25 another one. */
export const DriftFigure = z.object({
  name: z.enum(['classes', 'confidence', 'entropy']),
  index: z.number(),
  /** Means over 0..1; null for classes. */
  expected: z.number().nullable(),
  seen: z.number().nullable(),
});
export type DriftFigure = z.infer<typeof DriftFigure>;

/** GET /models/:id/quality, GET /devices/:id/quality: answers of the last day beside the evaluation's. */
export const QualityView = z.object({
  variantId: Id,
  modelId: Id,
  profile: z.string(),
  digest: z.string(),
  devices: z.int(),
  verdict: DriftVerdict,
  /** What differs, a sentence. */
  words: z.string(),
  figures: z.array(DriftFigure),
  /** Classes whose share of the answers changed most, in percent. */
  moved: z.array(z.object({ name: z.string(), expected: z.number(), seen: z.number() })),
  expected: QualitySketch,
  seen: QualitySketch,
});
export type QualityView = z.infer<typeof QualityView>;
