import type { VariantRow } from '@espalier/proto/api';

/** A ready build with both figures; tests say only what matters to them. */
export const variantRow = (part: Partial<VariantRow>): VariantRow => ({
  id: 'v',
  modelId: 'm',
  model: 'net',
  modelVersion: '1',
  profile: 'x64-avx2',
  method: 'int8',
  state: 'ready',
  note: null,
  digest: null,
  sizeBytes: 1000,
  sizeRatio: 1,
  top1: 90,
  top1Float: 91,
  n: 2000,
  fixed: 0,
  broken: 0,
  proofP50Us: 100,
  proofSpeedup: 1,
  measured: null,
  accuracyOk: true,
  jobId: null,
  error: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  ...part,
});
