import type { ModelView } from '@espalier/proto/api';
import { Switch } from '@mantine/core';
import { Link } from 'wouter';
import { useChange } from '../../api/mutations';
import { formatCount } from '../../components/format';
import { Latency } from '../../components/Latency';
import { Status } from '../../components/Status';
import { Table } from '../../components/Table';
import { models as s } from '../../strings/models';

/** "Stop doing this" for one profile. */
function ProfileSwitch({ model, row }: { readonly model: ModelView; readonly row: ModelView['fleet'][number] }) {
  const flip = useChange({ touches: ['model', 'decisions'] });
  const path = `/models/${model.id}/loop/${row.profile}`;
  return (
    <Switch
      size="xs"
      aria-label={s.stopProfile(row.profile)}
      checked={row.automatic && model.autoOptimize}
      disabled={flip.isPending || !model.autoOptimize}
      onChange={(event) => flip.mutate({ method: 'PUT', path, body: { automatic: event.currentTarget.checked } })}
    />
  );
}

/** Each profile of the fleet: what it serves of this model, and whether the budget is met there now. */
export function FleetTable({ model }: { readonly model: ModelView }) {
  if (model.fleet.length === 0) return <span className="muted">{s.fleetEmpty}</span>;
  return (
    <Table
      label={s.fleetTitle}
      rows={model.fleet}
      keyOf={(row) => row.profile}
      columns={[
        { name: s.profile, cell: (row) => <Link href={`/profiles/${row.profile}`}>{row.profile}</Link> },
        {
          name: s.devices,
          num: true,
          cell: (row) => <Link href={`/devices?q=profile:${row.profile}`}>{formatCount(row.devices)}</Link>,
        },
        { name: s.serving, cell: (row) => row.serving ?? '–' },
        { name: s.p50, num: true, cell: (row) => <Latency latency={row.latency} /> },
        { name: 'p95', num: true, wide: true, cell: (row) => <Latency latency={row.latency} figure="p95Us" /> },
        { name: s.verdict, cell: (row) => <Status state={row.verdict} /> },
        { name: s.automatic, wide: true, cell: (row) => <ProfileSwitch model={model} row={row} /> },
      ]}
    />
  );
}
