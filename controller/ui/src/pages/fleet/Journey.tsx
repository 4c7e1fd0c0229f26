import type { FleetView, SampleView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { Link } from 'wouter';
import { useChange } from '../../api/mutations';
import { useModels, useRollouts, useSample, useSystem } from '../../api/queries';
import { CodedError } from '../../components/ErrorNote';
import { May } from '../../components/May';
import { Section } from '../../components/Page';
import { Status, Tone } from '../../components/Status';
import { fleet as s } from '../../strings/fleet';

function RunSample({ label }: { readonly label: string }) {
  const run = useChange({ touches: ['sample'] });
  return (
    <May>
      <Button loading={run.isPending} onClick={() => run.mutate({ method: 'POST', path: '/sample' })}>
        {label}
      </Button>
    </May>
  );
}

/** The sample’s steps as they happen, and the ways to what it made. */
function SampleSteps({ sample }: { readonly sample: SampleView }) {
  return (
    <div className="card stack">
      <span className="muted">{s.sampleLead}</span>
      <ol className="bare stack" style={{ gap: 4 }} aria-live="polite">
        {sample.steps.map((step) => (
          <li key={step.name} className="spread">
            <span className="row">
              <Status state={step.state} />
              {step.name}
            </span>
            <span className="muted small">{step.text}</span>
          </li>
        ))}
      </ol>
      {sample.error && <CodedError error={sample.error} />}
      <div className="row">
        {sample.deviceId && <Link href={`/devices/${sample.deviceId}`}>{s.itsDevice}</Link>}
        {sample.modelId && <Link href={`/models/${sample.modelId}`}>{s.itsModel}</Link>}
        {sample.rolloutId && <Link href={`/rollouts/${sample.rolloutId}`}>{s.itsRollout}</Link>}
        {sample.state !== 'running' && <RunSample label={s.runSample} />}
      </div>
    </div>
  );
}

/** The checklist of an empty controller, and the sample's live steps while and after it runs. */
export function Journey({ fleet }: { readonly fleet: FleetView }) {
  const system = useSystem();
  const sample = useSample();
  const models = useModels();
  const rollouts = useRollouts();
  const data = models.data ?? [];
  const done = [
    fleet.devices.total > 0,
    data.length > 0,
    data.some((model) => model.variants > 0),
    rollouts.total > 0,
  ] as const;
  const loaded = system.data && sample.data && models.data && !rollouts.isPending;
  if (!loaded) return null;
  const isFresh = done.some((one) => !one);
  const isShown = sample.data.state === 'running' || sample.data.state === 'failed' || sample.data.steps.length > 0;
  return (
    <>
      {isFresh && (
        <Section title={s.startTitle}>
          <div className="card stack">
            <span className="muted">{s.startLead}</span>
            <ol className="bare stack" style={{ gap: 6 }}>
              {s.steps.map(([title, text, href], index) => (
                <li key={title}>
                  <Tone tone={done[index] ? 'good' : 'none'}>
                    <Link href={href}>{title}</Link>
                  </Tone>{' '}
                  <span className="muted">{text}</span>
                </li>
              ))}
            </ol>
            {sample.data.state === 'idle' && (
              <div className="row">
                <RunSample label={s.trySample} />
                <span className="muted small">{s.sampleLead}</span>
              </div>
            )}
          </div>
        </Section>
      )}
      {isShown && sample.data.state !== 'idle' && (
        <Section title={s.sampleTitle}>
          <SampleSteps sample={sample.data} />
        </Section>
      )}
    </>
  );
}
