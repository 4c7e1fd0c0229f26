import { z } from 'zod';
import { QualitySketch } from './quality.js';

/** Latency of one session in one run. Microseconds; p95 is null below 90 samples (docs/measuring.md). */
export const Latency = z.object({
  p50Us: z.number(),
  p95Us: z.number().nullable(),
  n: z.int(),
  class: z.enum(['clean', 'contended', 'throttled', 'unstable', 'not-measured']),
});
export type Latency = z.infer<typeof Latency>;

/** A node of the optimized graph that computes: what precision it runs in, and why if not in the wanted one. */
export const NodeReport = z.object({
  name: z.string(),
  op: z.string(),
  precision: z.string(),
  share: z.number().nullable(),
  reason: z.string().nullable(),
});
/** What a build is made by, from the most exact to the fastest. */
export const Recipe = z.enum(['float', 'int8', 'pruned-int8']);
export type Recipe = z.infer<typeof Recipe>;

export type NodeReport = z.infer<typeof NodeReport>;

/** A build that a search measured on samples kept for choosing. */
export const SearchPoint = z.object({
  precision: z.string(),
  /** Points of top-1 lost to float, or the percent of samples whose first class differs from float's. */
  drop: z.number(),
  sqnrDb: z.number(),
  speedup: z.number().nullable(),
  p50Us: z.number().nullable(),
  bytes: z.int(),
  /** Nodes that could be quantized and were left in float. */
  floatNodes: z.array(z.string()),
  /** Nodes whose activations have 16 bits where the others have 8. */
  wideNodes: z.array(z.string()).default([]),
  /** No other point is at least as good in every respect. */
  isFront: z.boolean(),
  isChosen: z.boolean(),
});
export type SearchPoint = z.infer<typeof SearchPoint>;

/** What a search over builds measured, asked for and took. */
export const SearchRecord = z.object({
  basis: z.enum(['labels', 'agreement']),
  n: z.int(),
  budgets: z.object({
    maxDrop: z.number().nullable(),
    latencyUs: z.number().nullable(),
    speedup: z.number().nullable(),
    sizeRatio: z.number().nullable(),
  }),
  met: z.boolean(),
  /** Why this point was taken, a sentence. */
  why: z.string(),
  points: z.array(SearchPoint),
});
export type SearchRecord = z.infer<typeof SearchRecord>;

/** SQNR in dB at the output of a layer: with plain rounding to the nearest, and in the build that came out. */
export const LayerFigures = z.object({ node: z.string(), op: z.string(), before: z.number(), after: z.number() });
export type LayerFigures = z.infer<typeof LayerFigures>;

const Build = z.object({ top1: z.number().nullable(), sizeBytes: z.int(), latency: Latency.nullable() });

/** Average precision of a detector, 0..1, by COCO's definition; null where nothing of the kind is annotated. */
const AveragePrecision = z.object({
  ap: z.number().nullable(),
  ap50: z.number().nullable(),
  ap75: z.number().nullable(),
});

/** What the proof says of a detector: precision with annotations, and which selected boxes agree with float, always. */
const Detection = z.object({
  float: AveragePrecision.nullable(),
  variant: AveragePrecision.nullable(),
  agreement: z.object({
    boxesFloat: z.int(),
    boxes: z.int(),
    matched: z.int(),
    percent: z.number(),
    meanOverlap: z.number().nullable(),
  }),
});

/**
 * Report v1: the proof of a variant. The one object that server, UI, HTML page and benchmarks read.
 * `top1` in percent. `fixed`/`broken`: samples the variant got right and float wrong, and the other way round.
 */
export const Report = z.object({
  version: z.literal(1),
  model: z.string(),
  profile: z.string(),
  /** What the nodes compute in: float was kept, int8, int8 with 16-bit activations, weights in 8 or 4 bits, halves, int8 by each run's ranges. */
  method: z.enum(['float', 'int8', 'int8-16', 'w8', 'w4', 'fp16', 'dynamic']),
  runtime: z.object({ adapter: z.string(), version: z.string(), sessionOptions: z.record(z.string(), z.unknown()) }),
  machine: z.object({ cpu: z.string(), arch: z.string(), cores: z.int() }),
  data: z
    .object({ spec: z.string(), n: z.int(), split: z.enum(['calibration', 'evaluation']), labelled: z.boolean() })
    .nullable(),
  float: Build,
  variant: Build,
  fixed: z.int().nullable(),
  broken: z.int().nullable(),
  mcnemarP: z.number().nullable(),
  /** Share of samples whose top-1 agrees with float, in percent: the only accuracy figure without labels. */
  agreement: z.number().nullable(),
  sqnrDb: z.record(z.string(), z.number()).nullable(),
  /** What the variant said of the samples, where it is a classifier: what devices tell later is held against it. */
  quality: QualitySketch.nullish(),
  /** Of a model that detects objects, on data with boxes. */
  detection: Detection.optional(),
  /** float p50 / variant p50 in the same run; null when not measured on such hardware. */
  speedup: z.number().nullable(),
  /** float bytes / variant bytes. */
  sizeRatio: z.number(),
  nodes: z.array(NodeReport),
  floatNodes: z.array(z.object({ node: z.string(), op: z.string(), reason: z.string() })),
  passes: z.array(z.object({ name: z.string(), applied: z.int(), reasons: z.array(z.string()) })),
  notes: z.array(z.string()),
  search: SearchRecord.nullish(),
  layers: z.array(LayerFigures).nullish(),
  seed: z.int(),
  commands: z.array(z.string()),
  cpuSeconds: z.number(),
  peakRssMb: z.number(),
  createdAt: z.iso.datetime(),
});
export type Report = z.infer<typeof Report>;
