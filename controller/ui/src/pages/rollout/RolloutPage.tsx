import type { RolloutView } from '@espalier/proto/api';
import { Link, useParams } from 'wouter';
import { useRollout } from '../../api/queries';
import { Facts } from '../../components/Facts';
import { formatCount } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { May } from '../../components/May';
import { Page, Section } from '../../components/Page';
import { Status, toneOf } from '../../components/Status';
import { When } from '../../components/When';
import { rollouts as s } from '../../strings/rollouts';
import { Executions } from './Executions';
import { Abort, Gates } from './Gates';
import { Groups } from './Groups';
import { RolloutActions } from './RolloutActions';

/** State and counts in one line, and why it is in this state. */
function Summary({ rollout }: { readonly rollout: RolloutView }) {
  return (
    <section
      className="note stack"
      data-tone={toneOf(rollout.state)}
      style={{ gap: 4 }}
      aria-label={s.state}
      aria-live="polite"
    >
      <div className="row">
        <Status state={rollout.state} />
        <span>
          {s.counts(
            formatCount(rollout.succeeded),
            formatCount(rollout.total),
            formatCount(rollout.failed),
            formatCount(rollout.inFlight),
          )}
        </span>
        {rollout.currentGroup !== null && (
          <span className="muted">{s.group(rollout.currentGroup + 1, rollout.groups)}</span>
        )}
      </div>
      {rollout.reason && (
        <span>
          <span className="muted">{s.why}:</span> {rollout.reason}
        </span>
      )}
    </section>
  );
}

/** Who gets which build, who started it, and what happened since. */
function About({ rollout }: { readonly rollout: RolloutView }) {
  return (
    <div className="columns">
      <Section title={s.variants}>
        <ul className="bare">
          {rollout.variants.map((variant) => (
            <li key={variant.variantId}>
              <Link href={`/variants/${variant.variantId}`}>{variant.method}</Link>{' '}
              <span className="muted">
                {variant.profile}, {formatCount(variant.devices)}
              </span>
            </li>
          ))}
        </ul>
        <Facts
          of={[
            [
              s.by,
              rollout.decisionId ? (
                <Link key="loop" href={`/models/${rollout.modelId}`}>
                  {s.byLoop}
                </Link>
              ) : (
                rollout.createdBy
              ),
            ],
            [s.created, <When key="created" at={rollout.createdAt} />],
            [s.ended, rollout.endedAt && <When key="ended" at={rollout.endedAt} />],
          ]}
        />
      </Section>
      <Section title={s.history}>
        <ol className="bare stack" style={{ gap: 4 }}>
          {rollout.history.map((entry) => (
            <li key={`${entry.at} ${entry.text}`} className="small">
              <span className="muted">
                <When at={entry.at} />
              </span>{' '}
              {entry.text}
            </li>
          ))}
        </ol>
      </Section>
    </div>
  );
}

/** How far, what gates, and should I stop it? */
export default function RolloutPage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useRollout(id);
  const rollout = query.data;
  return (
    <Page
      title={rollout?.name ?? s.name}
      crumb={{ label: s.title, href: '/rollouts' }}
      below={
        rollout && (
          <Link href={`/models/${rollout.modelId}`}>
            {rollout.model} {rollout.modelVersion}
          </Link>
        )
      }
      actions={
        rollout && (
          <May>
            <RolloutActions rollout={rollout} />
          </May>
        )
      }
    >
      <Loaded query={query} lines={8}>
        {(data) => (
          <>
            <Summary rollout={data} />
            <Section title={s.groups}>
              <Groups rollout={data} />
            </Section>
            <Section title={s.gatesTitle}>
              <div className="stack">
                <Gates groups={data.groupViews} />
                <Abort criteria={data.abort} />
              </div>
            </Section>
            <Executions rollout={data} />
            <About rollout={data} />
          </>
        )}
      </Loaded>
    </Page>
  );
}
