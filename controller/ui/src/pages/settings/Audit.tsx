import { useAudit } from '../../api/queries';
import { ErrorNote } from '../../components/ErrorNote';
import { More } from '../../components/More';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { When } from '../../components/When';
import { settings as s } from '../../strings/settings';

/** Every act with who did it, newest first. */
export function Audit() {
  const audit = useAudit();
  return (
    <Section title={s.audit}>
      <ErrorNote thrown={audit.error} onRetry={() => void audit.refetch()} />
      {audit.data && audit.rows.length === 0 && <span className="muted">{s.auditEmpty}</span>}
      {audit.rows.length > 0 && (
        <Table
          label={s.audit}
          rows={audit.rows}
          keyOf={(row) => row.id}
          columns={[
            { name: s.at, cell: (row) => <When at={row.at} /> },
            { name: s.who, cell: (row) => row.who },
            { name: s.action, cell: (row) => row.action },
            { name: s.subject, wide: true, cell: (row) => row.subject },
            {
              name: s.details,
              wide: true,
              cell: (row) =>
                Object.keys(row.details).length > 0 ? <code className="mono">{JSON.stringify(row.details)}</code> : '–',
            },
          ]}
        />
      )}
      <More pages={audit} />
    </Section>
  );
}
