import { useSession, useSystem } from '../../api/queries';
import { Facts } from '../../components/Facts';
import { Loaded } from '../../components/Loaded';
import { Page, Section } from '../../components/Page';
import { Tone } from '../../components/Status';
import { When } from '../../components/When';
import { settings as s } from '../../strings/settings';
import { Audit } from './Audit';
import { EnrolmentTokens } from './EnrolmentTokens';
import { People } from './People';
import { Tokens } from './Tokens';
import { You } from './You';

const Health = ({ ok }: { readonly ok: boolean }) => <Tone tone={ok ? 'good' : 'failed'}>{ok ? s.ok : s.broken}</Tone>;

function System() {
  const query = useSystem();
  return (
    <Section title={s.system}>
      <Loaded query={query}>
        {(system) => (
          <div className="card">
            <Facts
              of={[
                [s.version, system.version],
                [s.started, <When key="started" at={system.startedAt} />],
                [
                  s.database,
                  <span key="database" className="row">
                    {system.database.kind} <Health ok={system.database.ok} />
                  </span>,
                ],
                [
                  s.broker,
                  <span key="broker" className="row">
                    {system.broker.kind} <code className="mono">{system.broker.url}</code>{' '}
                    <Health ok={system.broker.ok} />
                  </span>,
                ],
                [
                  s.grpc,
                  <code key="grpc" className="mono">
                    {system.grpcUrl}
                  </code>,
                ],
              ]}
            />
          </div>
        )}
      </Loaded>
    </Section>
  );
}

/** Who may, who did, and how the controller is. What only administrators see is absent for others. */
export default function SettingsPage() {
  const session = useSession();
  const isAdmin = session.data?.user.role === 'admin';
  return (
    <Page title={s.title}>
      <div className="columns">
        {session.data && <You session={session.data} />}
        <System />
      </div>
      {isAdmin && <People />}
      {isAdmin && <Tokens />}
      {isAdmin && <EnrolmentTokens />}
      {isAdmin && <Audit />}
    </Page>
  );
}
