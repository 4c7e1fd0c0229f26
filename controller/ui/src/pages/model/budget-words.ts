import type { Budget } from '@espalier/proto/api';
import { formatBytes, formatUs } from '../../components/format';
import { common } from '../../strings/common';

/** A budget on one line: "≤ 1 points lost, p95 ≤ 5 ms". */
export function budgetWords({ maxAccuracyDrop, p95Us, maxSizeBytes }: Budget): string {
  const parts = [
    maxAccuracyDrop !== null && `−${maxAccuracyDrop} points`,
    p95Us !== null && `p95 ≤ ${formatUs(p95Us)}`,
    maxSizeBytes !== null && `≤ ${formatBytes(maxSizeBytes)}`,
  ].filter(Boolean);
  return parts.join(', ') || common.none;
}
