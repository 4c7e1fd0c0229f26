import type { Session } from '@espalier/proto/api';
import { Button, PasswordInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { ErrorNote } from '../../components/ErrorNote';
import { Section } from '../../components/Page';
import { Tone } from '../../components/Status';
import { doneToast } from '../../components/toasts';
import { states } from '../../strings/common';
import { settings as s } from '../../strings/settings';

/** Who is signed in, a password of one's own, and the way out. */
export function You({ session }: { readonly session: Session }) {
  const { name, role, passwordSet } = session.user;
  const [password, setPassword] = useState('');
  const client = useQueryClient();
  const signOut = useChange({ touches: ['session'], onDone: () => client.clear() });
  const save = useChange({
    touches: ['session'],
    quiet: true,
    onDone: () => {
      setPassword('');
      doneToast(s.passwordSet);
    },
  });
  return (
    <Section title={s.you}>
      <div className="card stack">
        <div className="spread">
          <strong>{s.signedInAs(name, states[role] ?? role)}</strong>
          <Button
            variant="default"
            loading={signOut.isPending}
            onClick={() => signOut.mutate({ method: 'DELETE', path: '/session' })}
          >
            {s.signOut}
          </Button>
        </div>
        {!passwordSet && (
          <Tone tone="warning">
            <span style={{ whiteSpace: 'normal' }}>{s.passwordMissing}</span>
          </Tone>
        )}
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate({ method: 'PUT', path: '/session/password', body: { password } });
          }}
        >
          <PasswordInput
            label={s.newPassword}
            description={s.passwordRule}
            autoComplete="new-password"
            required
            minLength={10}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <ErrorNote thrown={save.error} />
          <Button type="submit" variant="default" loading={save.isPending} style={{ alignSelf: 'flex-start' }}>
            {s.setPassword}
          </Button>
        </form>
      </div>
    </Section>
  );
}
