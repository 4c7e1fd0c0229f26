import type { ApiError } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { errorOf } from '../api/failure';
import { common } from '../strings/common';
import { CopyButton } from './Copyable';
import { Tone } from './Status';

type Coded = Pick<ApiError, 'code' | 'message' | 'action' | 'details' | 'requestId'>;

/** A coded error as people need it: what, what to do, the code, and all of it to copy. */
export function CodedError({ error, onRetry }: { readonly error: Coded; readonly onRetry?: () => void }) {
  return (
    <div className="note stack" data-tone="failed" role="alert" style={{ gap: 6 }}>
      <Tone tone="failed">
        <strong style={{ whiteSpace: 'normal' }}>{error.message}</strong>
      </Tone>
      {error.action && (
        <span>
          {common.whatToDo} {error.action}
        </span>
      )}
      <div className="row">
        <code className="mono muted">{error.code}</code>
        <CopyButton value={JSON.stringify(error, null, 2)} label={common.copyDetails} />
        {onRetry && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {common.retry}
          </Button>
        )}
      </div>
    </div>
  );
}

/** The same for anything thrown; nothing for null. */
export const ErrorNote = ({ thrown, onRetry }: { readonly thrown: unknown; readonly onRetry?: () => void }) =>
  thrown ? <CodedError error={errorOf(thrown)} onRetry={onRetry} /> : null;
