import type { RolloutRow } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { Link, useLocation } from 'wouter';
import { useRollouts } from '../../api/queries';
import { Empty } from '../../components/Empty';
import { ErrorNote } from '../../components/ErrorNote';
import { formatCount } from '../../components/format';
import { May } from '../../components/May';
import { More } from '../../components/More';
import { Page } from '../../components/Page';
import { Status } from '../../components/Status';
import { Table } from '../../components/Table';
import { Waiting } from '../../components/Waiting';
import { When } from '../../components/When';
import { rollouts as s } from '../../strings/rollouts';
import { ShareBar } from '../rollout/ShareBar';

function Progress({ row }: { readonly row: RolloutRow }) {
  return (
    <div style={{ minWidth: 120 }}>
      {s.done(formatCount(row.succeeded), formatCount(row.total))}
      {row.currentGroup !== null && <span className="muted small"> · {s.group(row.currentGroup + 1, row.groups)}</span>}
      <ShareBar {...row} />
    </div>
  );
}

/** All rollouts, newest first, each with how far it is and why it ended as it did. */
export default function RolloutsPage() {
  const [, go] = useLocation();
  const rollouts = useRollouts();
  const create = (
    <May>
      <Button onClick={() => go('/rollouts/new')}>{s.create}</Button>
    </May>
  );
  return (
    <Page title={s.title} actions={rollouts.total > 0 && create}>
      <div>
        <ErrorNote thrown={rollouts.error} onRetry={() => void rollouts.refetch()} />
        {rollouts.isPending && !rollouts.error && <Waiting />}
        {rollouts.data && rollouts.total === 0 && <Empty title={s.empty} why={s.emptyWhy} action={create} />}
        {rollouts.rows.length > 0 && (
          <Table
            label={s.title}
            rows={rollouts.rows}
            keyOf={(row) => row.id}
            columns={[
              { name: s.name, cell: (row) => <Link href={`/rollouts/${row.id}`}>{row.name}</Link> },
              { name: s.model, wide: true, cell: (row) => `${row.model} ${row.modelVersion}` },
              {
                name: s.state,
                cell: (row) => (
                  <>
                    <Status state={row.state} />
                    {row.reason && <div className="muted small prose">{row.reason}</div>}
                  </>
                ),
              },
              { name: s.progress, cell: (row) => <Progress row={row} /> },
              { name: s.by, wide: true, cell: (row) => row.createdBy },
              { name: s.created, wide: true, cell: (row) => <When at={row.createdAt} /> },
            ]}
          />
        )}
        <More pages={rollouts} />
      </div>
    </Page>
  );
}
