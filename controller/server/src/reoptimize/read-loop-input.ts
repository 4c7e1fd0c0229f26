import type { DeviceLatency } from '../devices/summarize.js';
import type { BudgetStatus } from '../fleet/budget-status.js';
import { accuracyDrop } from '../variants/choose-variant.js';
import type { VariantEntity } from '../variants/variant.entity.js';
import type { DecisionEntity } from './decision.entity.js';
import type { LoopInput, LoopLimits, LoopVariant } from './loop.types.js';

export const LOOP_LIMITS: LoopLimits = { samplesMin: 200, hysteresis: 1.02, coolDownMs: 10 * 60_000 };

/** What the loop reads of one model on one profile. */
export interface LoopRows {
  readonly status: BudgetStatus;
  readonly variants: readonly VariantEntity[];
  /** Worst device's p95 by digest, from windows that can be trusted. */
  readonly measuredP95Us: ReadonlyMap<string, number>;
  /** Made under the present budget; those of an earlier one do not bind. */
  readonly decisions: readonly DecisionEntity[];
  readonly busy: LoopInput['busy'];
}

/** Rows as the pure decision reads them. */
export function readLoopInput(rows: LoopRows, limits: LoopLimits = LOOP_LIMITS): LoopInput {
  const { model, latency, deviceIds, servingDigest } = rows.status;
  return {
    autoOptimize: model.autoOptimize,
    budget: model.budget,
    devices: deviceIds.length,
    servingDigest,
    latency: latency && {
      ...{ p95Us: latency.p95Us, n: latency.n, class: latency.class },
      measuredAtMs: Date.parse(latency.measuredAt),
    },
    variants: rows.variants.map((variant) => toVariant(variant, rows.measuredP95Us)),
    busy: rows.busy,
    decisions: rows.decisions.map(({ action, recipe, variantId, at }) => ({
      ...{ action, recipe, variantId },
      atMs: at.getTime(),
    })),
    limits,
  };
}

function toVariant(variant: VariantEntity, measured: ReadonlyMap<string, number>): LoopVariant {
  const { id, recipe, method, state, note, digest, report, error } = variant;
  return {
    ...{ id, recipe, method, state, digest, note: note ?? error?.message ?? null },
    accuracyDrop: accuracyDrop(report),
    sizeBytes: report?.variant.sizeBytes ?? null,
    proofSpeedup: report?.speedup ?? null,
    measuredP95Us: digest === null ? null : (measured.get(digest) ?? null),
  };
}

/** The worst device of each digest, from clean and contended windows only. */
export function trustedP95(latencies: readonly DeviceLatency[]): Map<string, number> {
  const worst = new Map<string, number>();
  for (const { digest, p95Us, class: kind } of latencies) {
    if (p95Us === null || kind === 'unstable' || kind === 'throttled') continue;
    worst.set(digest, Math.max(p95Us, worst.get(digest) ?? 0));
  }
  return worst;
}
