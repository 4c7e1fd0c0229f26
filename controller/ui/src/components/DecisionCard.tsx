import type { DecisionView } from '@espalier/proto/api';
import { Link } from 'wouter';
import { decisions as s } from '../strings/decisions';
import { Facts } from './Facts';
import { formatFigure } from './figure';
import { Tone, type ToneName } from './Status';
import { When } from './When';

const tones: Readonly<Record<DecisionView['action'], ToneName>> = {
  build: 'running',
  rollout: 'running',
  'nothing-left': 'warning',
  rejected: 'failed',
  promoted: 'good',
  'rolled-back': 'warning',
};

/** One decision that the controller took by itself: what, why, on which numbers, and the way to its evidence. */
export function DecisionCard({ decision }: { readonly decision: DecisionView }) {
  const { action, reason, numbers, recipe, jobId, variantId, rolloutId } = decision;
  return (
    <article className="card stack" style={{ gap: 8 }}>
      <div className="spread">
        <Tone tone={tones[action]}>
          <strong>{s.actions[action]}</strong>
        </Tone>
        <span className="muted small">
          <When at={decision.at} />
        </span>
      </div>
      <span>{reason}</span>
      <span className="muted small">
        {decision.model} · {decision.profile}
        {recipe && ` · ${s.recipe(recipe)}`}
      </span>
      <Facts of={Object.entries(numbers).map(([name, value]) => formatFigure(name, value))} />
      <div className="row small">
        {jobId && <Link href={`/jobs/${jobId}`}>{s.job}</Link>}
        {variantId && <Link href={`/variants/${variantId}`}>{s.variant}</Link>}
        {rolloutId && <Link href={`/rollouts/${rolloutId}`}>{s.rollout}</Link>}
      </div>
    </article>
  );
}
