import type { GroupView, RolloutView } from '@espalier/proto/api';
import { formatCount } from '../../components/format';
import { Status } from '../../components/Status';
import { When } from '../../components/When';
import { rollouts as s } from '../../strings/rollouts';
import { ShareBar } from './ShareBar';

/** One group: done, failed, in flight and waiting, of a total that no longer changes. */
function Group({ group, isCurrent }: { readonly group: GroupView; readonly isCurrent: boolean }) {
  const parts = (['succeeded', 'failed', 'inFlight', 'queued', 'skipped'] as const).filter(
    (part) => group[part] > 0 || part === 'succeeded',
  );
  return (
    <li
      className={`card stack ${isCurrent ? 'surface' : ''}`}
      style={{ gap: 6 }}
      aria-current={isCurrent ? 'step' : undefined}
    >
      <div className="spread">
        <strong>{group.name}</strong>
        <Status state={group.state} />
      </div>
      <ShareBar {...group} />
      <span className="small">{parts.map((part) => `${formatCount(group[part])} ${s[part]}`).join(', ')}</span>
      <span className="muted small">{s.frozen(formatCount(group.total))}</span>
      {group.soakUntil && group.state === 'SOAKING' && (
        <span className="small">
          {s.soakUntil} <When at={group.soakUntil} />
        </span>
      )}
    </li>
  );
}

/** The groups in their order, left to right; what each counts is fixed when it is formed. */
export function Groups({ rollout }: { readonly rollout: RolloutView }) {
  return (
    <ol className="bare groups" aria-live="polite">
      {rollout.groupViews.map((group) => (
        <Group key={group.index} group={group} isCurrent={group.index === rollout.currentGroup} />
      ))}
    </ol>
  );
}
