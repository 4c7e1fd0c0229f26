import type { VariantRow } from '@espalier/proto/api';
import { formatBytes, formatPercent, formatUs } from '../../components/format';
import { Table } from '../../components/Table';
import { models } from '../../strings/models';
import { rollouts as s } from '../../strings/rollouts';

interface Props {
  readonly variants: readonly VariantRow[];
  /** True when the controller picks the best of each profile; then all that it can pick from are shown. */
  readonly isBest: boolean;
}

/** The builds of the plan, a line for each profile. */
export function WhatEachGets({ variants, isBest }: Props) {
  if (variants.length === 0) return <span className="muted">{s.whatEmpty}</span>;
  return (
    <div className="stack">
      {isBest && <span className="muted">{s.best}</span>}
      <Table
        label={s.what}
        rows={variants}
        keyOf={(row) => row.id}
        columns={[
          { name: models.profile, cell: (row) => row.profile },
          { name: models.method, cell: (row) => row.method },
          { name: models.accuracy, num: true, cell: (row) => formatPercent(row.top1, 2) },
          { name: models.p50, num: true, cell: (row) => formatUs(row.measured?.p50Us ?? row.proofP50Us) },
          { name: models.size, num: true, wide: true, cell: (row) => formatBytes(row.sizeBytes) },
        ]}
      />
    </div>
  );
}
