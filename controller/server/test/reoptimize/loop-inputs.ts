/** What the loop knows, as tests make it up: a float build that misses its budget on one device. */
import { LOOP_LIMITS, type LoopDevice, type LoopInput, type LoopVariant } from '@espalier/server/reoptimize/loop.types';

export const NOW = 1_000_000_000_000;
export const FLOAT = 'f'.repeat(64);
export const INT8 = '8'.repeat(64);
export const PRUNED = '9'.repeat(64);

export const variant = (change: Partial<LoopVariant> = {}): LoopVariant => ({
  ...{
    id: 'v-float',
    recipe: 'float',
    method: 'float',
    state: 'ready',
    note: null,
    digest: FLOAT,
    accuracyDrop: 0,
    doubt: null,
  },
  ...{ sizeBytes: 660_000, proofSpeedup: 1, runtime: 'onnxruntime 1.30.0', measuredP95Us: 200, predictedUs: null },
  ...{ trialUs: null, trial: 'none', createdAtMs: NOW - 9_000_000, otherRuntimes: [] },
  ...change,
});
export const int8 = (change: Partial<LoopVariant> = {}): LoopVariant =>
  variant({
    ...{ id: 'v-int8', recipe: 'int8', method: 'int8', digest: INT8, accuracyDrop: 0.1, sizeBytes: 220_000 },
    ...{ proofSpeedup: 1.6, measuredP95Us: null },
    ...change,
  });
export const pruned = (change: Partial<LoopVariant> = {}): LoopVariant =>
  int8({
    ...{ id: 'v-pruned', recipe: 'pruned-int8', method: 'pruned-int8', digest: PRUNED, accuracyDrop: 0.8 },
    ...{ sizeBytes: 150_000, proofSpeedup: 2.1 },
    ...change,
  });

type Window = LoopDevice['windows'][number];
export const window = (p95Us: number, change: Partial<Window> = {}): Window => ({
  ...{ p50Us: Math.round(p95Us * 0.9), p95Us, n: 500, class: 'clean', endedAtMs: NOW - 1000 },
  ...change,
});
/** A device whose newest two windows say the same. */
export const device = (p95Us: number, change: Partial<Window> = {}, id = 'dev-1'): LoopDevice => ({
  id,
  windows: [window(p95Us, change), window(p95Us, change)],
});

export const input = (change: Partial<LoopInput> = {}): LoopInput => ({
  policy: { model: true, profile: true, approval: false, contended: false },
  budget: { maxAccuracyDrop: 1, p95Us: 160, maxSizeBytes: null },
  devices: [device(200)],
  ...{
    servingDigest: FLOAT,
    unbuilt: null,
    variants: [variant()],
    busy: null,
    history: [],
    buildsToday: 0,
    family: [],
  },
  data: { samples: 5000, labelled: true },
  table: { state: 'unavailable', reason: 'no device measures tables', narrowestUs: null, measuredAtMs: null },
  ...{ runtimes: ['onnxruntime 1.30.0'], builderRuntime: 'onnxruntime 1.30.0', limits: LOOP_LIMITS },
  servedBy: { onnxruntime: 1 },
  ...change,
});

export const past = (action: string, variantId: string | null, ageMs = 1000) => ({
  ...{ action, variantId, recipe: 'int8', atMs: NOW - ageMs },
});
