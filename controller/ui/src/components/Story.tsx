import type { DecisionView } from '@espalier/proto/api';
import { decisions as s } from '../strings/decisions';
import { DecisionCard } from './DecisionCard';

/** It asks a person, and no later decision is about the same build. */
const isUnanswered = ({ action, variantId, at }: DecisionView, all: readonly DecisionView[]): boolean =>
  action === 'ask' && !all.some((one) => one.variantId === variantId && one.at > at);

const isLatest = ({ profile, at }: DecisionView, all: readonly DecisionView[]): boolean =>
  !all.some((one) => one.profile === profile && one.at > at);

/** What the controller did by itself, oldest at the left: one line of time that scrolls inside its own box. */
export function Story({ decisions }: { readonly decisions: readonly DecisionView[] }) {
  const ordered = [...decisions].sort((a, b) => a.at.localeCompare(b.at));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard (WCAG 2.1.1)
    <section className="story" aria-label={s.story} tabIndex={0}>
      {ordered.map((decision) => (
        <DecisionCard
          key={decision.id}
          decision={decision}
          isOpen={isUnanswered(decision, decisions)}
          isLatest={isLatest(decision, decisions)}
        />
      ))}
    </section>
  );
}
