import type { ModelView, TableView } from '@espalier/proto/api';
import { Button, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { useChange } from '../../api/mutations';
import { useTables } from '../../api/queries';
import { HeatMap } from '../../charts/HeatMap';
import { movingRows } from '../../charts/table';
import { WidthCurve } from '../../charts/WidthCurve';
import { Facts } from '../../components/Facts';
import { formatSeconds, formatUs } from '../../components/format';
import { May } from '../../components/May';
import { Section } from '../../components/Page';
import { Tone } from '../../components/Status';
import { When } from '../../components/When';
import { charts as s } from '../../strings/charts';

const ROWS = 12;

/** What a table is keyed by, who measured it, and what was left out. */
function About({ view, table }: { readonly view: TableView; readonly table: NonNullable<TableView['table']> }) {
  const { soc, runtime, powerMode, precision } = table.key;
  return (
    <div className="stack" style={{ gap: 6 }}>
      <Facts
        of={[
          [s.wholeModel, formatUs(table.anchorUs)],
          [s.processor, soc ?? s.unknown],
          [s.runtime, `${runtime}, ${precision}`],
          [s.powerMode, powerMode ?? s.unknown],
          [s.devices, String(view.devices.length)],
          [s.deviceTime, formatSeconds(view.deviceSeconds)],
        ]}
      />
      {view.leftOut.map(({ deviceId, reason }) => (
        <span key={deviceId} className="small">
          <Tone tone="warning">{s.leftOut}</Tone> <Link href={`/devices/${deviceId}`}>{deviceId}</Link>: {reason}
        </span>
      ))}
    </div>
  );
}

function Table({ view }: { readonly view: TableView }) {
  const rows = view.table ? movingRows(view.table).slice(0, ROWS) : [];
  const [chosen, setChosen] = useState('');
  const row = rows.find(({ node }) => node === chosen) ?? rows[0];
  if (!view.table || !row) return null;
  return (
    <>
      <About view={view} table={view.table} />
      <div className="chart">
        <HeatMap rows={rows} chosen={row.node} onChoose={setChosen} />
      </div>
      <span className="muted small">{s.heatLegend(rows.length, movingRows(view.table).length)}</span>
      <h3 style={{ margin: 0 }}>{row.node}</h3>
      <div className="chart">
        <WidthCurve row={row} />
      </div>
      <span className="muted small">{s.curveLegend}</span>
    </>
  );
}

const tones = {
  measured: 'good',
  measuring: 'running',
  stale: 'warning',
  failed: 'failed',
  imported: 'warning',
} as const;

/** What devices of a profile measured of the operators at several widths: what pruned builds are planned by. */
export function LatencyTables({ model }: { readonly model: ModelView }) {
  const tables = useTables(model.id);
  const ask = useChange({ touches: ['tables', 'jobs'] });
  const profiles = model.fleet.map(({ profile }) => profile);
  const [wanted, setWanted] = useState('');
  const profile = profiles.includes(wanted) ? wanted : (profiles[0] ?? '');
  const view = tables.data?.find((one) => one.profile === profile);
  if (profiles.length === 0) return null;
  const actions = (
    <div className="row">
      {profiles.length > 1 && (
        <SegmentedControl size="xs" aria-label={s.profile} data={profiles} value={profile} onChange={setWanted} />
      )}
      <May>
        <Button
          variant="default"
          loading={ask.isPending}
          disabled={view?.state === 'measuring'}
          onClick={() => ask.mutate({ method: 'POST', path: `/models/${model.id}/tables`, body: { profile } })}
        >
          {s.measure}
        </Button>
      </May>
    </div>
  );
  return (
    <Section title={`${s.tableTitle}: ${profile}`} actions={actions}>
      <div className="card stack">
        {view ? (
          <span>
            <Tone tone={tones[view.state]}>{s.tableStates[view.state]}</Tone>
            {view.measuredAt && (
              <span className="muted small">
                {' '}
                <When at={view.measuredAt} />
              </span>
            )}
            {view.reason && <span className="muted"> {view.reason}</span>}
          </span>
        ) : (
          <span className="muted">{s.noTable}</span>
        )}
        {view && <Table view={view} />}
      </div>
    </Section>
  );
}
