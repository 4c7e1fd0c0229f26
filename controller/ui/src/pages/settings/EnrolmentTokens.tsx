import { Link } from 'wouter';
import { useEnrolmentTokens } from '../../api/queries';
import { Loaded } from '../../components/Loaded';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { When } from '../../components/When';
import { settings as s } from '../../strings/settings';

/** Single-use tokens for devices, and which device came with each. */
export function EnrolmentTokens() {
  const tokens = useEnrolmentTokens();
  return (
    <Section title={s.enrolment}>
      <Loaded query={tokens}>
        {(rows) =>
          rows.length === 0 ? (
            <span className="muted">{s.enrolmentEmpty}</span>
          ) : (
            <Table
              label={s.enrolment}
              rows={rows}
              keyOf={(row) => row.id}
              columns={[
                { name: s.name, cell: (row) => row.name || '–' },
                {
                  name: s.usedBy,
                  cell: (row) => (row.usedBy ? <Link href={`/devices/${row.usedBy}`}>{row.usedBy}</Link> : s.unused),
                },
                { name: s.expires, cell: (row) => <When at={row.expiresAt} /> },
                { name: s.created, wide: true, cell: (row) => <When at={row.createdAt} /> },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}
