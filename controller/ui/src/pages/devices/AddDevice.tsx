import type { CreatedEnrolmentToken } from '@espalier/proto/api';
import { Button, Loader, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { useChange } from '../../api/mutations';
import { useEnrolmentTokens } from '../../api/queries';
import { Copyable } from '../../components/Copyable';
import { ErrorNote } from '../../components/ErrorNote';
import { Tone } from '../../components/Status';
import { When } from '../../components/When';
import { common } from '../../strings/common';
import { devices as s } from '../../strings/devices';

/** Shows the command, waits for the device that uses the token, and leads to it. */
function WaitForDevice({ token, onAgain }: { readonly token: CreatedEnrolmentToken; readonly onAgain: () => void }) {
  const [, go] = useLocation();
  const tokens = useEnrolmentTokens();
  const deviceId = tokens.data?.find(({ id }) => id === token.id)?.usedBy ?? null;
  return (
    <div className="stack">
      <span>{s.runThis}</span>
      <Copyable value={token.command} />
      <div role="status">
        {deviceId ? (
          <div className="stack">
            <Tone tone="good">{s.came}</Tone>
            <div className="row">
              <Button onClick={() => go(`/devices/${deviceId}`)}>{s.openIt}</Button>
              <Button variant="default" onClick={onAgain}>
                {s.another}
              </Button>
            </div>
          </div>
        ) : (
          <div className="row muted">
            <Loader size="xs" />
            {s.waits}
          </div>
        )}
      </div>
      {!deviceId && (
        <span className="muted small">
          {s.expires} <When at={token.expiresAt} />.
        </span>
      )}
    </div>
  );
}

/** Two steps in one dialog: make the command, then wait for the device. */
export function AddDevice({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState('');
  const create = useChange<CreatedEnrolmentToken>({ touches: ['enrolment-tokens'], quiet: true });
  return (
    <Modal opened onClose={onClose} title={s.addTitle} size="lg" closeButtonProps={{ 'aria-label': common.close }}>
      {create.data ? (
        <WaitForDevice token={create.data} onAgain={create.reset} />
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate({ method: 'POST', path: '/enrolment-tokens', body: { name: name.trim() } });
          }}
        >
          <TextInput
            label={s.tokenName}
            description={s.tokenNameHint}
            maxLength={64}
            value={name}
            data-autofocus
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <ErrorNote thrown={create.error} />
          <Button type="submit" loading={create.isPending}>
            {s.makeCommand}
          </Button>
        </form>
      )}
    </Modal>
  );
}
