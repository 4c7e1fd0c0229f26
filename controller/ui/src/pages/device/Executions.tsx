import type { ExecutionView } from '@espalier/proto/api';
import { Progress } from '@mantine/core';
import { Link } from 'wouter';
import { Status } from '../../components/Status';
import { Table } from '../../components/Table';
import { When } from '../../components/When';
import { devices as s } from '../../strings/devices';

/** The step an update is in, and how far it is. */
export function StepCell({ execution }: { readonly execution: ExecutionView }) {
  const { step, progress, state } = execution;
  return (
    <>
      {step ?? '–'}
      {state === 'IN_PROGRESS' && progress !== null && (
        <Progress value={progress * 100} size="sm" miw={80} aria-label={step ?? s.step} />
      )}
    </>
  );
}

/** What went wrong on the device, what to do, and the code. */
export function ErrorCell({ execution }: { readonly execution: ExecutionView }) {
  const { error } = execution;
  if (!error) return '–';
  return (
    <span className="prose">
      {error.message} {error.action} <code className="mono muted">{error.code}</code>
    </span>
  );
}

/** Every update a rollout asked of this device, newest first. */
export function Executions({ executions }: { readonly executions: readonly ExecutionView[] }) {
  if (executions.length === 0) return <span className="muted">{s.executionsEmpty}</span>;
  return (
    <Table
      label={s.executions}
      rows={executions}
      keyOf={(row) => row.id}
      columns={[
        {
          name: s.rollout,
          cell: (row) => <Link href={`/rollouts/${row.rolloutId}`}>{row.rolloutId.slice(0, 8)}</Link>,
        },
        { name: s.state, cell: (row) => <Status state={row.state} /> },
        { name: s.step, cell: (row) => <StepCell execution={row} /> },
        { name: s.error, cell: (row) => <ErrorCell execution={row} /> },
        { name: s.updated, wide: true, cell: (row) => <When at={row.updatedAt} /> },
      ]}
    />
  );
}
