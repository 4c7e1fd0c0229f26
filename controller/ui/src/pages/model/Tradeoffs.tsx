import type { ModelView } from '@espalier/proto/api';
import { Button, SegmentedControl } from '@mantine/core';
import { useLocation } from 'wouter';
import { ParetoChart } from '../../charts/ParetoChart';
import { chosenOf, pointsOf } from '../../charts/pareto';
import { Icon } from '../../components/Icon';
import { icons } from '../../components/icons';
import { May } from '../../components/May';
import { Section } from '../../components/Page';
import { useUrlState } from '../../components/url-state';
import { charts } from '../../strings/charts';
import { models as s } from '../../strings/models';

/** Of each profile the fastest build that keeps the accuracy budget: what a rollout would bring. */
export function chosenIds(model: ModelView): string[] {
  const profiles = [...new Set(model.variantRows.map(({ profile }) => profile))];
  return profiles.flatMap((profile) => {
    const rows = model.variantRows.filter((row) => row.profile === profile);
    const chosen = chosenOf(rows, model.budget.maxAccuracyDrop);
    return chosen ? [chosen.id] : [];
  });
}

/** The Pareto chart of one profile, with the chosen build ringed, and click four of six: roll out. */
export function Tradeoffs({ model }: { readonly model: ModelView }) {
  const [, go] = useLocation();
  const profiles = [...new Set(model.variantRows.map(({ profile }) => profile))].sort();
  const [wanted, setWanted] = useUrlState('profile');
  const of = (profile: string) => pointsOf(model.variantRows.filter((row) => row.profile === profile));
  const richest = profiles.toSorted((a, b) => of(b).length - of(a).length)[0] ?? '';
  const profile = profiles.includes(wanted) ? wanted : richest;
  const points = of(profile);
  const chosen = chosenIds(model);
  const actions = (
    <div className="row">
      {profiles.length > 1 && (
        <SegmentedControl size="xs" aria-label={s.profile} data={profiles} value={profile} onChange={setWanted} />
      )}
      <May>
        <Button
          leftSection={<Icon path={icons.rollout} />}
          disabled={chosen.length === 0}
          onClick={() => go(`/rollouts/new?model=${model.id}&variants=${chosen.join(',')}`)}
        >
          {s.rollOut}
        </Button>
      </May>
    </div>
  );
  return (
    <Section title={`${s.pareto}: ${profile}`} actions={actions}>
      <div className="card">
        {points.length > 0 ? (
          <ParetoChart
            profile={profile}
            points={points}
            budget={model.budget}
            chosenId={points.find((point) => chosen.includes(point.row.id))?.row.id ?? null}
          />
        ) : (
          <span className="muted">{charts.nothing}</span>
        )}
      </div>
    </Section>
  );
}
