import type { DeviceView, Served } from '@espalier/proto/api';
import { Link, useParams } from 'wouter';
import { useDevice } from '../../api/queries';
import { DeleteButton } from '../../components/DeleteButton';
import { CodedError } from '../../components/ErrorNote';
import { Facts } from '../../components/Facts';
import { shortDigest } from '../../components/format';
import { Latency, restsOn } from '../../components/Latency';
import { Loaded } from '../../components/Loaded';
import { May } from '../../components/May';
import { Page, Section } from '../../components/Page';
import { Quality } from '../../components/Quality';
import { Status, Tone } from '../../components/Status';
import { When } from '../../components/When';
import { devices as s } from '../../strings/devices';
import { Executions } from './Executions';
import { FactList } from './FactList';
import { Timeline } from './Timeline';

/** A build by name, with the start of its digest to tell two of one name apart. */
function ServedLink({ served }: { readonly served: Served | null }) {
  if (!served) return <span className="muted">{s.nothing}</span>;
  const text = `${served.model} ${served.modelVersion} ${served.method}`;
  return (
    <>
      {served.variantId ? <Link href={`/variants/${served.variantId}`}>{text}</Link> : text}{' '}
      <code className="mono muted">{shortDigest(served.digest)}</code>
    </>
  );
}

/** What it serves, is to serve and served before; what it waits for; and its latency. */
function Serving({ device }: { readonly device: DeviceView }) {
  return (
    <Section title={s.servingTitle}>
      <div className="card stack">
        <Facts
          of={[
            [s.current, <ServedLink key="current" served={device.serving} />],
            [s.target, <ServedLink key="target" served={device.target} />],
            ...(device.waitsFor
              ? ([
                  [
                    s.waitsFor,
                    <Tone key="waits" tone="running">
                      <span style={{ whiteSpace: 'normal' }}>{device.waitsFor}</span>
                    </Tone>,
                  ],
                ] as const)
              : []),
            [s.previous, <ServedLink key="previous" served={device.previous} />],
            [s.p50, <Latency key="p50" latency={device.latency} />],
            [s.p95, <Latency key="p95" latency={device.latency} figure="p95Us" />],
            ['p99', <Latency key="p99" latency={device.latency} figure="p99Us" />],
            [s.rests, device.latency && restsOn(device.latency)],
            [s.servedBy, device.runtime],
            [s.endpoint, device.endpoint && <code className="mono">{device.endpoint}</code>],
          ]}
        />
        {device.error && <CodedError error={device.error} />}
      </div>
    </Section>
  );
}

/** The profile with the facts that made it match, and the life of its certificate. */
function Identity({ device }: { readonly device: DeviceView }) {
  return (
    <Section title={s.identity}>
      <div className="card">
        <Facts
          of={[
            [s.status, <Status key="status" state={device.status} />],
            [s.profile, device.profile && <Link href={`/profiles/${device.profile}`}>{device.profile}</Link>],
            [
              s.matched,
              device.matched.length > 0 ? (
                <ul className="bare" key="matched">
                  {device.matched.map((fact) => (
                    <li key={fact}>{fact}</li>
                  ))}
                </ul>
              ) : (
                s.matchedNone
              ),
            ],
            [s.board, device.board],
            [s.seen, <When key="seen" at={device.lastSeenAt} />],
            [s.enrolled, <When key="enrolled" at={device.enrolledAt} />],
            [s.certificate, <When key="certificate" at={device.certificateExpiresAt} />],
          ]}
        />
      </div>
    </Section>
  );
}

/** Cannot be undone from here: the device must be enrolled again. So it asks for the name. */
function RemoveDevice({ device }: { readonly device: DeviceView }) {
  return (
    <DeleteButton
      label={s.remove}
      name={device.name}
      path={`/devices/${device.id}`}
      list="devices"
      done={s.removed(device.name)}
    >
      {s.removeLead(device.name)}
    </DeleteButton>
  );
}

/** What is it, what does it serve, is it healthy? */
export default function DevicePage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useDevice(id);
  const device = query.data;
  return (
    <Page
      title={device?.name ?? id}
      crumb={{ label: s.title, href: '/devices' }}
      below={device && <Status state={device.status} />}
      actions={
        device && (
          <May>
            <RemoveDevice device={device} />
          </May>
        )
      }
    >
      <Loaded query={query} lines={8}>
        {(data) => (
          <>
            <div className="columns">
              <Serving device={data} />
              <Identity device={data} />
            </div>
            <Timeline deviceId={data.id} />
            <Quality of="devices" id={data.id} />
            <Section title={s.executions}>
              <Executions executions={data.executions} />
            </Section>
            <Section title={s.facts}>
              <FactList facts={data.facts} />
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}
