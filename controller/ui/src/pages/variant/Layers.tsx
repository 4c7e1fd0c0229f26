import type { VariantView } from '@espalier/proto/api';
import { SegmentedControl } from '@mantine/core';
import { formatPercent } from '../../components/format';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { useUrlState } from '../../components/url-state';
import { variant as s } from '../../strings/variant';
import { filterLayers, type LayerFilter } from './filter-layers';

type Proof = NonNullable<VariantView['report']>;

/** Filled for int8, outlined for float: told apart without colour. */
function Precision({ name }: { readonly name: string }) {
  const isInt8 = /int8/.test(name);
  return (
    <span className="row nowrap" style={{ gap: 6, flexWrap: 'nowrap' }}>
      <svg width={12} height={12} aria-hidden="true">
        <rect
          x={1}
          y={1}
          width={10}
          height={10}
          rx={2}
          fill={isInt8 ? 'var(--series-1)' : 'none'}
          stroke="var(--series-1)"
          strokeWidth={2}
        />
      </svg>
      {name}
    </span>
  );
}

/** A layer's share of the time (0..1) as a number, and as a bar against the longest. */
function Share({ share, max }: { readonly share: number | null; readonly max: number }) {
  if (share === null) return '–';
  return (
    <>
      {formatPercent(share * 100)}
      <div className="bar" style={{ blockSize: 4, minInlineSize: 80 }} aria-hidden="true">
        <span style={{ inlineSize: `${(100 * share) / max}%`, background: 'var(--series-1)' }} />
      </div>
    </>
  );
}

/** Every computing node with its precision; the filter that matters is the one for what stayed float unasked. */
export function Layers({ nodes, floatNodes }: Pick<Proof, 'nodes' | 'floatNodes'>) {
  const [filter, setFilter] = useUrlState('layers', 'all');
  const max = Math.max(Number.EPSILON, ...nodes.map((node) => node.share ?? 0));
  const rows = filterLayers(nodes, floatNodes, filter as LayerFilter);
  return (
    <Section
      title={s.layers}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={s.precisionFilter}
          value={filter}
          onChange={setFilter}
          data={[
            { value: 'all', label: `${s.filterAll} (${nodes.length})` },
            { value: 'float', label: `${s.filterFloat} (${filterLayers(nodes, floatNodes, 'float').length})` },
            { value: 'int8', label: s.filterInt8 },
          ]}
        />
      }
    >
      <div className="stack">
        <span className="muted small">{s.layersLead}</span>
        {rows.length === 0 ? (
          <span className="muted">{s.noLayers}</span>
        ) : (
          <Table
            label={s.layers}
            rows={rows}
            keyOf={(node) => node.name}
            columns={[
              { name: s.node, cell: (node) => <code className="mono">{node.name}</code> },
              { name: s.op, cell: (node) => node.op },
              { name: s.precision, cell: (node) => <Precision name={node.precision} /> },
              {
                name: s.share,
                num: true,
                wide: true,
                cell: (node) => <Share share={node.share} max={max} />,
              },
              { name: s.reason, cell: (node) => node.reason ?? '–' },
            ]}
          />
        )}
      </div>
    </Section>
  );
}
