import { z } from 'zod';

export const Id = z.string().min(1);
export const Instant = z.iso.datetime();

/** One page of a list. `next` is the cursor of the following page, null on the last; `total` is exact. */
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable(), total: z.int() });
export interface Page<T> {
  items: T[];
  next: string | null;
  total: number;
}

/** Filters of every list: `q` is words and `key:value` terms, as typed into a filter bar and kept in the URL. */
export const ListQuery = z.object({
  q: z.string().default(''),
  cursor: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

/** The body of every failed request. */
export const ApiError = z.object({
  code: z.string(),
  message: z.string(),
  action: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
  requestId: z.string().optional(),
});
export type ApiError = z.infer<typeof ApiError>;

/** A latency figure with what it rests on. `class` is the worst class among the windows that count. */
export const MeasuredLatency = z.object({
  p50Us: z.int(),
  p95Us: z.int().nullable(),
  p99Us: z.int().nullable(),
  n: z.int(),
  devices: z.int(),
  class: z.enum(['clean', 'contended', 'throttled', 'unstable']),
  measuredAt: Instant,
});
export type MeasuredLatency = z.infer<typeof MeasuredLatency>;

/** What an event tells: something of this kind changed; read it again. Sent over GET /api/v1/events as SSE. */
export const LiveEvent = z.object({
  kind: z.enum([
    'device',
    'model',
    'variant',
    'dataset',
    'job',
    'rollout',
    'decision',
    'sample',
    'field-sample',
    'system',
  ]),
  id: z.string(),
  at: Instant,
});
export type LiveEvent = z.infer<typeof LiveEvent>;
