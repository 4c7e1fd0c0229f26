import type { FleetView } from '@espalier/proto/api';
import { Link } from 'wouter';
import { useDecisions, useFleet } from '../../api/queries';
import { DecisionCard } from '../../components/DecisionCard';
import { formatCount, formatUs } from '../../components/format';
import { Latency } from '../../components/Latency';
import { Loaded } from '../../components/Loaded';
import { Page, Section } from '../../components/Page';
import { Status, Tone, toneOf } from '../../components/Status';
import { Table } from '../../components/Table';
import { states } from '../../strings/common';
import { fleet as s } from '../../strings/fleet';
import { Attention } from './Attention';
import { Journey } from './Journey';

/** Devices by status, each a link to those devices; and what is under way. */
function Counts({ fleet }: { readonly fleet: FleetView }) {
  const { devices, runningRollouts, runningJobs } = fleet;
  return (
    <div className="columns" aria-live="polite">
      <div className="card">
        <Link className="plain" href="/devices">
          <span className="big">{formatCount(devices.total)}</span> {s.devices}
        </Link>
        <div className="row small">
          {(['online', 'degraded', 'offline'] as const).map((status) => (
            <Link key={status} className="plain" href={`/devices?q=status:${status}`}>
              {formatCount(devices[status])}{' '}
              <Tone tone={devices[status] > 0 ? toneOf(status) : 'none'}>{states[status]}</Tone>
            </Link>
          ))}
        </div>
      </div>
      <div className="card">
        <span className="muted">{s.running}</span>
        <div className="row">
          <Link href="/rollouts">{s.rollouts(runningRollouts)}</Link>
          <Link href="/optimizations">{s.jobs(runningJobs)}</Link>
        </div>
      </div>
    </div>
  );
}

/** The measured p95 of each model and profile against its budget. */
function Budgets({ rows }: { readonly rows: FleetView['budgets'] }) {
  if (rows.length === 0) return <span className="muted">{s.budgetsEmpty}</span>;
  return (
    <Table
      label={s.budgets}
      rows={rows}
      keyOf={(row) => `${row.modelId} ${row.profile}`}
      columns={[
        { name: s.model, cell: (row) => <Link href={`/models/${row.modelId}`}>{row.model}</Link> },
        { name: s.profile, cell: (row) => <Link href={`/profiles/${row.profile}`}>{row.profile}</Link> },
        { name: s.p95, num: true, cell: (row) => <Latency latency={row.latency} figure="p95Us" /> },
        { name: s.budget, num: true, wide: true, cell: (row) => formatUs(row.budgetP95Us) },
        { name: s.verdict, cell: (row) => <Status state={row.verdict} /> },
      ]}
    />
  );
}

/** How many devices serve which build. */
function Served({ rows }: { readonly rows: FleetView['served'] }) {
  if (rows.length === 0) return <span className="muted">{s.servedEmpty}</span>;
  return (
    <Table
      label={s.served}
      rows={rows}
      keyOf={(row) => `${row.model} ${row.modelVersion} ${row.variantId ?? row.method}`}
      columns={[
        { name: s.model, cell: (row) => `${row.model} ${row.modelVersion}` },
        {
          name: s.build,
          cell: (row) => (row.variantId ? <Link href={`/variants/${row.variantId}`}>{row.method}</Link> : row.method),
        },
        { name: s.count, num: true, cell: (row) => formatCount(row.devices) },
      ]}
    />
  );
}

/** What a fleet with at least one device has to tell. */
function Numbers({ fleet }: { readonly fleet: FleetView }) {
  const decisions = useDecisions();
  return (
    <>
      <Counts fleet={fleet} />
      <Section title={s.budgets}>
        <Budgets rows={fleet.budgets} />
      </Section>
      <Section title={s.served}>
        <Served rows={fleet.served} />
      </Section>
      <Section title={s.decisions}>
        {decisions.rows.length === 0 ? (
          <span className="muted">{s.decisionsEmpty}</span>
        ) : (
          <div className="columns">
            {decisions.rows.slice(0, 6).map((decision) => (
              <DecisionCard key={decision.id} decision={decision} />
            ))}
          </div>
        )}
      </Section>
    </>
  );
}

/** Is anything wrong, and what changed by itself? */
export default function FleetPage() {
  const fleet = useFleet();
  return (
    <Page title={s.title}>
      <Loaded query={fleet}>
        {(data) => (
          <>
            <Journey fleet={data} />
            {data.attention.length > 0 ? <Attention items={data.attention} /> : <Tone tone="good">{s.allWell}</Tone>}
            {data.devices.total > 0 && <Numbers fleet={data} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}
