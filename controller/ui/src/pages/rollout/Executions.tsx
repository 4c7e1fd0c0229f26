import type { ExecutionView, RolloutView } from '@espalier/proto/api';
import { SegmentedControl } from '@mantine/core';
import { Link } from 'wouter';
import { Section } from '../../components/Page';
import { Status } from '../../components/Status';
import { Table } from '../../components/Table';
import { useUrlState } from '../../components/url-state';
import { When } from '../../components/When';
import { rollouts as s } from '../../strings/rollouts';
import { ErrorCell, StepCell } from '../device/Executions';

const kinds: Readonly<Record<string, RegExp>> = {
  all: /./,
  failed: /FAILED|TIMED_OUT|REJECTED/,
  flight: /IN_PROGRESS/,
};

function Rows({ rows, rollout }: { readonly rows: readonly ExecutionView[]; readonly rollout: RolloutView }) {
  return (
    <Table
      label={s.executions}
      rows={rows}
      keyOf={(row) => row.id}
      columns={[
        { name: s.device, cell: (row) => <Link href={`/devices/${row.deviceId}`}>{row.deviceName}</Link> },
        { name: s.groupOf, wide: true, cell: (row) => rollout.groupViews[row.group]?.name ?? String(row.group + 1) },
        { name: s.state, cell: (row) => <Status state={row.state} /> },
        { name: s.step, cell: (row) => <StepCell execution={row} /> },
        { name: s.error, cell: (row) => <ErrorCell execution={row} /> },
        { name: s.updated, wide: true, cell: (row) => <When at={row.updatedAt} /> },
      ]}
    />
  );
}

/** The devices of a rollout with what each is doing; which of them is in the address. */
export function Executions({ rollout }: { readonly rollout: RolloutView }) {
  const [which, setWhich] = useUrlState('which', 'all');
  const rows = rollout.executions.filter((row) => (kinds[which] ?? /./).test(row.state));
  const control = (
    <SegmentedControl
      size="xs"
      aria-label={s.which}
      value={which}
      onChange={setWhich}
      data={[
        { value: 'all', label: s.whichAll },
        { value: 'failed', label: s.whichFailed },
        { value: 'flight', label: s.whichFlight },
      ]}
    />
  );
  return (
    <Section title={s.executions} actions={rollout.executions.length > 0 && control}>
      {rows.length > 0 ? (
        <Rows rows={rows} rollout={rollout} />
      ) : (
        <span className="muted">{rollout.executions.length > 0 ? s.noneOfThem : s.executionsEmpty}</span>
      )}
    </Section>
  );
}
