import type { QualityView } from '@espalier/proto/api';
import { Link } from 'wouter';
import { useQuality } from '../api/queries';
import { PairedBars } from '../charts/PairedBars';
import { quality as s } from '../strings/quality';
import { Facts } from './Facts';
import { formatCount, shortDigest } from './format';
import { Section } from './Page';
import { Status } from './Status';

const percent = (value: number): string => `${value.toFixed(1)}%`;

/** One of the three figures: its index, and the means it stands for. */
function Index({ figure }: { readonly figure: QualityView['figures'][number] }) {
  const { index, expected, seen } = figure;
  const means = expected !== null && seen !== null && s.mean(seen.toFixed(2), expected.toFixed(2));
  return (
    <>
      <strong>{index.toFixed(2)}</strong> {means && <span className="muted small">{means}</span>}
    </>
  );
}

/** One build on one profile: the verdict, what it rests on, and both distributions. */
function Answers({ view }: { readonly view: QualityView }) {
  const { figures, moved, seen, expected } = view;
  return (
    <li className="card stack">
      <div className="spread">
        <Status state={view.verdict} />
        <span className="small">
          <Link href={`/variants/${view.variantId}`}>{s.build}</Link>{' '}
          <code className="mono muted">{shortDigest(view.digest)}</code> ·{' '}
          <Link href={`/profiles/${view.profile}`}>{view.profile}</Link>
        </span>
      </div>
      <span>{view.words}</span>
      <div className="columns">
        <Facts
          of={[
            [s.answers, formatCount(view.seen.n)],
            [s.devices, formatCount(view.devices)],
            ...figures.map((figure) => [s.figure[figure.name], <Index key={figure.name} figure={figure} />] as const),
            [
              s.moved,
              <ul className="bare" key="moved">
                {moved.map((one) => (
                  <li key={one.name}>{s.movedRow(one.name, percent(one.seen), percent(one.expected))}</li>
                ))}
              </ul>,
            ],
          ]}
        />
        <div className="stack">
          {(['confidence', 'entropy'] as const).map((name) => (
            <figure key={name} style={{ margin: 0 }}>
              <figcaption className="small">
                {s.figure[name]}: <span style={{ color: 'var(--series-2)' }}>■</span> {s.seen},{' '}
                <span style={{ color: 'var(--series-1)' }}>▬</span> {s.expected}
              </figcaption>
              <div className="chart">
                <PairedBars title={s.figure[name]} seen={seen[name]} expected={expected[name]} />
              </div>
            </figure>
          ))}
        </div>
      </div>
      <span className="muted small">{s.scale}</span>
    </li>
  );
}

/** What classifiers say to live requests, held against their evaluation; nothing where there is nothing to compare. */
export function Quality({ of, id }: { readonly of: 'models' | 'devices'; readonly id: string }) {
  const { data } = useQuality(of, id);
  if (!data) return null;
  return (
    <Section title={s.title}>
      <span className="muted">{data.length > 0 ? s.why : s.none}</span>
      <ul className="bare stack">
        {data.map((view) => (
          <Answers key={`${view.digest} ${view.profile}`} view={view} />
        ))}
      </ul>
    </Section>
  );
}
