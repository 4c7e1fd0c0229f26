import type { FieldSampleState, ModelView, SamplingView } from '@espalier/proto/api';
import { SegmentedControl } from '@mantine/core';
import { useFieldSamples, useSampling } from '../../api/queries';
import { formatBytes, formatCount, formatShare } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { May } from '../../components/May';
import { More } from '../../components/More';
import { Section } from '../../components/Page';
import { Tone } from '../../components/Status';
import { useUrlState } from '../../components/url-state';
import { When } from '../../components/When';
import { common } from '../../strings/common';
import { samples as s } from '../../strings/samples';
import { DeleteAll, MakeData } from './SampleActions';
import { SampleCard } from './SampleCard';
import { SamplingForm } from './SamplingForm';

const STATES: readonly FieldSampleState[] = ['open', 'labelled', 'unusable'];

/** What is kept, of what, and for how long, in words. */
function Rule({ view }: { readonly view: SamplingView }) {
  const { policy, devices, changedBy, changedAt, unfit } = view;
  if (unfit !== null) return <span className="muted">{s.unfit(unfit)}</span>;
  return (
    <div className="stack" style={{ gap: 4 }}>
      <Tone tone={policy.enabled ? 'running' : 'none'}>
        <span style={{ whiteSpace: 'normal' }}>
          {policy.enabled ? s.onLead(common.deviceCount(devices)) : s.offLead}
        </span>
      </Tone>
      {policy.enabled && (
        <span className="muted small">
          {s.rule(formatShare(policy.confidenceBelow), formatCount(policy.perDay), formatBytes(policy.bytesMax))}{' '}
          {s.retention(formatCount(policy.retentionDays))}
        </span>
      )}
      {changedBy && (
        <span className="muted small">
          {s.changed(changedBy)} <When at={changedAt} />
        </span>
      )}
    </div>
  );
}

/** The samples in one state, the newest first. */
function Gallery({ model, view }: { readonly model: ModelView; readonly view: SamplingView }) {
  const [wanted, setWanted] = useUrlState('samples', 'open');
  const state = STATES.find((one) => one === wanted) ?? 'open';
  const pages = useFieldSamples(model.id, state);
  return (
    <>
      <div className="spread">
        <SegmentedControl
          size="xs"
          aria-label={s.which}
          data={STATES.map((one) => ({
            value: one,
            label: s.stateCount(s.states[one], formatCount(view.counts[one])),
          }))}
          value={state}
          onChange={setWanted}
        />
        <span className="row small muted">
          {s.kept(formatBytes(view.sizeBytes), formatBytes(view.sizeBytesMax))}
          <DeleteAll model={model} view={view} />
        </span>
      </div>
      {pages.data && pages.rows.length === 0 && (
        <span className="muted">
          {s.empty[state]} {view.policy.enabled && state === 'open' && s.emptyOn}
        </span>
      )}
      <ul className="bare samples">
        {pages.rows.map((sample) => (
          <SampleCard key={sample.id} sample={sample} labels={view.labels} />
        ))}
      </ul>
      <More pages={pages} />
      <MakeData model={model} view={view} />
    </>
  );
}

/** Inputs that devices kept because the model was unsure, by a person's leave: the rule, the pictures, the labels. */
export default function Samples({ model }: { readonly model: ModelView }) {
  const query = useSampling(model.id);
  return (
    <Section title={s.title}>
      <Loaded query={query}>
        {(view) => {
          const { open, labelled, unusable } = view.counts;
          const isShown = view.policy.enabled || open + labelled + unusable > 0;
          return (
            <div className="stack">
              <Rule view={view} />
              {view.unfit === null && (
                <May least="admin">
                  <SamplingForm key={view.changedAt} modelId={model.id} view={view} />
                </May>
              )}
              {isShown && (
                <May>
                  <Gallery model={model} view={view} />
                </May>
              )}
            </div>
          );
        }}
      </Loaded>
    </Section>
  );
}
