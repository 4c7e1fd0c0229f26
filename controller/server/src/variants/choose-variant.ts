import type { Report } from '@espalier/proto';
import type { Budget } from '@espalier/proto/api';

/** What a choice between ready variants rests on. */
export interface Candidate {
  readonly id: string;
  readonly profile: string;
  readonly report: Report | null;
  /** Median p50 over devices that serve it; null when none does. */
  readonly measuredP50Us: number | null;
  readonly createdAtMs: number;
}

/** Points below float: of top-1 where there are labels, of agreement where not; null when nothing was evaluated. */
export function accuracyDrop(report: Report | null): number | null {
  if (!report) return null;
  if (report.method === 'float') return 0;
  if (report.float.top1 !== null && report.variant.top1 !== null) return report.float.top1 - report.variant.top1;
  return report.agreement === null ? null : 100 - report.agreement;
}

/** Whether a variant keeps the accuracy and size its model must keep; null when its accuracy is not known. */
export function keepsBudget(report: Report | null, budget: Budget): boolean | null {
  if (budget.maxSizeBytes !== null && report && report.variant.sizeBytes > budget.maxSizeBytes) return false;
  if (budget.maxAccuracyDrop === null) return true;
  const drop = accuracyDrop(report);
  return drop === null ? null : drop <= budget.maxAccuracyDrop;
}

/**
 * The best ready variant of one profile: one that keeps the budget before one that does not, then the one with the
 * smallest latency (measured on devices, else relative to float in the proof), then the newest.
 */
export function chooseVariant<T extends Candidate>(candidates: readonly T[], budget: Budget): T | null {
  const float = candidates.find((one) => one.report?.method === 'float');
  const floatUs = float?.measuredP50Us ?? null;
  const cost = (one: T): number => {
    const speedup = one.report?.speedup ?? null;
    // Figures of different origin do not compare, so all are brought to multiples of the float build.
    if (one.measuredP50Us !== null && floatUs !== null) return one.measuredP50Us / floatUs;
    if (one.report?.method === 'float') return 1;
    return speedup === null ? 1 / Math.max(1, one.report?.sizeRatio ?? 1) : 1 / speedup;
  };
  const rank = (one: T): number => (keepsBudget(one.report, budget) === true ? 0 : 1);
  return (
    candidates.toSorted((a, b) => rank(a) - rank(b) || cost(a) - cost(b) || b.createdAtMs - a.createdAtMs)[0] ?? null
  );
}
