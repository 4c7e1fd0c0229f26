import type { DecisionView } from '@espalier/proto/api';
import { Link } from 'wouter';
import { decisions as s } from '../strings/decisions';
import { AnswerDecision } from './AnswerDecision';
import { Facts } from './Facts';
import { formatFigure } from './figure';
import { Tone, type ToneName } from './Status';
import { StopProfile } from './StopProfile';
import { When } from './When';

const tones: Readonly<Record<DecisionView['action'], ToneName>> = {
  build: 'running',
  measure: 'running',
  try: 'running',
  ask: 'warning',
  approved: 'good',
  declined: 'failed',
  rollout: 'running',
  promoted: 'good',
  'rolled-back': 'warning',
  rejected: 'failed',
  offered: 'warning',
  'nothing-left': 'warning',
};

/** The rungs of the ladder that were passed over before this one. */
function Skipped({ decision: { skipped } }: { readonly decision: DecisionView }) {
  if (skipped.length === 0) return null;
  return (
    <details className="small">
      <summary className="muted">{s.passedOver(skipped.length)}</summary>
      <ul className="muted" style={{ margin: '4px 0 0', paddingInlineStart: 16 }}>
        {skipped.map(({ rung, reason }) => (
          <li key={rung}>
            {rung}: {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

interface Props {
  readonly decision: DecisionView;
  /** It asks a person, and nobody has answered yet. */
  readonly isOpen?: boolean;
  /** The last word about its profile: the place to stop it. */
  readonly isLatest?: boolean;
}

/** One decision that the controller took by itself: what, why, on which numbers, and the way to its evidence. */
export function DecisionCard({ decision, isOpen = false, isLatest = false }: Props) {
  const { action, trigger, reason, numbers, recipe, jobId, variantId, rolloutId } = decision;
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
        {trigger && ` · ${s.because(s.triggers[trigger])}`}
      </span>
      <Facts
        of={Object.entries(numbers).flatMap(([name, value]) => (value === null ? [] : [formatFigure(name, value)]))}
      />
      <Skipped decision={decision} />
      <div className="row small">
        {jobId && <Link href={`/jobs/${jobId}`}>{s.job}</Link>}
        {variantId && <Link href={`/variants/${variantId}`}>{s.variant}</Link>}
        {rolloutId && <Link href={`/rollouts/${rolloutId}`}>{s.rollout}</Link>}
        {isLatest && <StopProfile decision={decision} />}
      </div>
      {isOpen && <AnswerDecision id={decision.id} />}
    </article>
  );
}
