import { Link } from 'wouter';
import { useProfiles } from '../../api/queries';
import { formatCount } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { Page } from '../../components/Page';
import { Table } from '../../components/Table';
import { profiles as s } from '../../strings/profiles';

/** The kinds of hardware that the controller knows, with how many devices each has. */
export default function ProfilesPage() {
  const profiles = useProfiles();
  return (
    <Page title={s.title} below={s.lead}>
      <Loaded query={profiles}>
        {(rows) => (
          <Table
            label={s.title}
            rows={rows}
            keyOf={(row) => row.id}
            columns={[
              { name: s.profile, cell: (row) => <Link href={`/profiles/${row.id}`}>{row.id}</Link> },
              { name: s.about, cell: (row) => row.title },
              {
                name: s.extends,
                wide: true,
                cell: (row) => (row.extends ? <Link href={`/profiles/${row.extends}`}>{row.extends}</Link> : '–'),
              },
              {
                name: s.devices,
                num: true,
                cell: (row) => <Link href={`/devices?q=profile:${row.id}`}>{formatCount(row.devices)}</Link>,
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}
