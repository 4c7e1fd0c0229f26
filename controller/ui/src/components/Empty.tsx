import type { ReactNode } from 'react';
import { Copyable } from './Copyable';

interface Props {
  readonly title: string;
  readonly why: string;
  readonly action?: ReactNode;
  readonly command?: string;
}

/** What would be here, why it is not, one action, and one command to copy. */
export function Empty({ title, why, action, command }: Props) {
  return (
    <div className="card stack" style={{ alignItems: 'flex-start' }}>
      <strong>{title}</strong>
      <span className="muted">{why}</span>
      {action}
      {command && (
        <div style={{ maxWidth: '100%' }}>
          <Copyable value={command} />
        </div>
      )}
    </div>
  );
}
