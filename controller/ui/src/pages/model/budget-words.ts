import type { Budget } from '@espalier/proto/api';
import { formatBytes, formatUs } from '../../components/format';
import { common } from '../../strings/common';
import { models } from '../../strings/models';

/** A budget on one line: "at most −1 points, p95 ≤ 5 ms". */
export function budgetWords({ maxAccuracyDrop, p95Us, maxSizeBytes }: Budget): string {
  const parts = [
    maxAccuracyDrop !== null && models.budgetDrop(maxAccuracyDrop),
    p95Us !== null && models.budgetP95(formatUs(p95Us)),
    maxSizeBytes !== null && models.budgetSize(formatBytes(maxSizeBytes)),
  ].filter(Boolean);
  return parts.join(', ') || common.none;
}
