import type { ModelView, VariantRow } from '@espalier/proto/api';
import { Link } from 'wouter';
import { formatBytes, formatDelta, formatPercent, formatRatio, formatUs } from '../../components/format';
import { Latency } from '../../components/Latency';
import { Status, Tone } from '../../components/Status';
import { Table } from '../../components/Table';
import { models as s } from '../../strings/models';

const isBaseline = (row: VariantRow): boolean => row.method === 'float';

/** Top-1 and, below it, the points gained or lost against float on the same samples. */
function Accuracy({ row }: { readonly row: VariantRow }) {
  const delta = row.top1 === null || row.top1Float === null ? null : row.top1 - row.top1Float;
  return (
    <>
      {formatPercent(row.top1, 2)}
      {!isBaseline(row) && delta !== null && <div className="muted small">{formatDelta(delta, '')}</div>}
    </>
  );
}

/** A failed build says why; one that kept float says so. */
function State({ row }: { readonly row: VariantRow }) {
  return (
    <>
      <Status state={row.state} />
      {row.error && (
        <div className="small prose">
          {row.error.message} <code className="mono muted">{row.error.code}</code>
        </div>
      )}
      {row.note && <div className="muted small prose">{row.note}</div>}
    </>
  );
}

/** Every build with its figures; deltas are against the float build of the same profile, the baseline. */
export function VariantTable({ model }: { readonly model: ModelView }) {
  if (model.variantRows.length === 0) return <span className="muted">{s.variantsEmpty}</span>;
  const rows = [...model.variantRows].sort(
    (a, b) => a.profile.localeCompare(b.profile) || Number(isBaseline(b)) - Number(isBaseline(a)),
  );
  return (
    <Table
      label={s.variantsTitle}
      rows={rows}
      keyOf={(row) => row.id}
      columns={[
        {
          name: s.method,
          cell: (row) => (
            <>
              <Link href={`/variants/${row.id}`}>{row.method}</Link>{' '}
              {isBaseline(row) && <span className="muted small">{s.baseline}</span>}
            </>
          ),
        },
        { name: s.profile, cell: (row) => row.profile },
        { name: s.state, cell: (row) => <State row={row} /> },
        { name: s.accuracy, num: true, cell: (row) => <Accuracy row={row} /> },
        {
          name: s.latency,
          num: true,
          cell: (row) => (
            <>
              {formatUs(row.proofP50Us)}
              {!isBaseline(row) && <div className="muted small">{formatRatio(row.proofSpeedup)}</div>}
            </>
          ),
        },
        { name: s.measured, num: true, cell: (row) => <Latency latency={row.measured} /> },
        {
          name: s.size,
          num: true,
          cell: (row) => (
            <>
              {formatBytes(row.sizeBytes)}
              {!isBaseline(row) && <div className="muted small">{formatRatio(row.sizeRatio)}</div>}
            </>
          ),
        },
        {
          name: s.keepsBudget,
          wide: true,
          cell: (row) =>
            row.accuracyOk === null ? (
              '–'
            ) : (
              <Tone tone={row.accuracyOk ? 'good' : 'failed'}>{row.accuracyOk ? s.ok : s.over}</Tone>
            ),
        },
      ]}
    />
  );
}
