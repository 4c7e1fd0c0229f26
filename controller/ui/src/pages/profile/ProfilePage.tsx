import { Link, useParams } from 'wouter';
import { useProfile } from '../../api/queries';
import { Facts } from '../../components/Facts';
import { formatCount } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { Page, Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { profiles as s } from '../../strings/profiles';

/** What does this hardware like, and how do we know? */
export default function ProfilePage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useProfile(id);
  return (
    <Page title={id} crumb={{ label: s.title, href: '/profiles' }} below={query.data?.title}>
      <Loaded query={query} lines={6}>
        {(profile) => (
          <>
            <div className="card">
              <Facts
                of={[
                  [
                    s.devices,
                    <Link key="d" href={`/devices?q=profile:${id}`}>
                      {formatCount(profile.devices)}
                    </Link>,
                  ],
                  [s.extends, profile.extends && <Link href={`/profiles/${profile.extends}`}>{profile.extends}</Link>],
                ]}
              />
            </div>
            <Section title={s.rules}>
              {profile.rules.length === 0 ? (
                <span className="muted">{s.noRules}</span>
              ) : (
                <Table
                  label={s.rules}
                  rows={profile.rules}
                  keyOf={(rule) => `${rule.topic} ${rule.text}`}
                  columns={[
                    { name: s.topic, cell: (rule) => rule.topic },
                    { name: s.text, cell: (rule) => rule.text },
                    { name: s.evidence, wide: true, cell: (rule) => <span className="muted">{rule.evidence}</span> },
                  ]}
                />
              )}
            </Section>
            <details>
              <summary>{s.definitionLead}</summary>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard (WCAG 2.1.1) */}
              <pre className="log" tabIndex={0}>
                {JSON.stringify(profile.definition, null, 2)}
              </pre>
            </details>
          </>
        )}
      </Loaded>
    </Page>
  );
}
