import { SegmentedControl } from '@mantine/core';
import { lazy, Suspense, useMemo } from 'react';
import { useMeasurements } from '../../api/queries';
import { formatExact, formatUs } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { useUrlState } from '../../components/url-state';
import { Waiting } from '../../components/Waiting';
import { common } from '../../strings/common';
import { devices as s } from '../../strings/devices';

const LatencyChart = lazy(() => import('../../charts/LatencyChart'));

const spans: Readonly<Record<string, number>> = { day: 86_400_000, week: 604_800_000 };
/** The newest windows shown as a table; all are in the chart. */
const TABLE_ROWS = 30;

/** Latency over time, with a mark where the variant changed. The range is in the address. */
export function Timeline({ deviceId }: { readonly deviceId: string }) {
  const [range, setRange] = useUrlState('range', 'week');
  const since = useMemo(() => {
    const span = spans[range];
    return span ? new Date(Date.now() - span).toISOString() : null;
  }, [range]);
  const query = useMeasurements(deviceId, since);
  const control = (
    <SegmentedControl
      size="xs"
      aria-label={s.range}
      value={range}
      onChange={setRange}
      data={(['day', 'week', 'all'] as const).map((value) => ({ value, label: s.since[value] }))}
    />
  );
  return (
    <Section title={s.timeline} actions={control}>
      <Loaded query={query}>
        {(rows) =>
          rows.length === 0 ? (
            <span className="muted">{s.timelineEmpty}</span>
          ) : (
            <div className="stack">
              <Suspense fallback={<Waiting />}>
                <LatencyChart
                  rows={rows}
                  label={s.chartAlt(rows.length, formatExact(rows[0]?.at ?? ''), formatExact(rows.at(-1)?.at ?? ''))}
                />
              </Suspense>
              <details>
                <summary>{common.asTable}</summary>
                <Table
                  label={s.timeline}
                  rows={rows.slice(-TABLE_ROWS).reverse()}
                  keyOf={(row) => `${row.at} ${row.digest} ${row.scenario}`}
                  columns={[
                    { name: s.updated, cell: (row) => formatExact(row.at) },
                    { name: s.build, cell: (row) => row.method ?? '–' },
                    { name: 'n', num: true, cell: (row) => row.n.toLocaleString() },
                    { name: s.p50, num: true, cell: (row) => formatUs(row.p50Us) },
                    { name: s.p95, num: true, cell: (row) => formatUs(row.p95Us) },
                    { name: s.quality, cell: (row) => common.quality[row.class] },
                  ]}
                />
              </details>
            </div>
          )
        }
      </Loaded>
    </Section>
  );
}
