import { z } from 'zod';

/** Where a row's time comes from; only measured ones may decide a rollout. */
export const LatencyOrigin = z.enum(['measured', 'compiler', 'roofline']);
export type LatencyOrigin = z.infer<typeof LatencyOrigin>;

/**
 * What an operator of a model costs at several widths: the work is its multiply-accumulates, or the elements it makes where
 * it has no weights. A straight line through the points says what other widths cost.
 */
export const LatencyTableRow = z.strictObject({
  node: z.string(),
  op: z.string(),
  points: z.array(z.strictObject({ work: z.number().nonnegative(), us: z.number().nonnegative() })).min(1),
  fixedUs: z.number(),
  usPerWork: z.number().nonnegative(),
  /** Slowest device over the fastest at full width, where several measured; the points are those of the worst decile. */
  spread: z.number().min(1).optional(),
  origin: LatencyOrigin,
});
export type LatencyTableRow = z.infer<typeof LatencyTableRow>;

/** The latency table of one model on one kind of device, version 1. It is stale when anything of `key` changes. */
export const LatencyTable = z.strictObject({
  version: z.literal(1),
  model: z.string(),
  key: z.strictObject({
    profile: z.string(),
    soc: z.string().nullable(),
    runtime: z.string(),
    options: z.string(),
    powerMode: z.string().nullable(),
    precision: z.enum(['int8', 'float32']),
  }),
  /** Latency of the whole model, measured without a profiler: the rows only say what a width changes about it. */
  anchorUs: z.number().positive(),
  /** Work of each row's operator in the whole model. */
  rows: z.array(LatencyTableRow),
});
export type LatencyTable = z.infer<typeof LatencyTable>;

/** Whether devices measured all of it. */
export const isMeasured = ({ rows }: LatencyTable): boolean => rows.every(({ origin }) => origin === 'measured');
