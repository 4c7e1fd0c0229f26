import { Button, PasswordInput, TextInput } from '@mantine/core';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useChange } from '../../api/mutations';
import { ErrorNote } from '../../components/ErrorNote';
import { Brand } from '../../components/Icon';
import { shell as s } from '../../strings/shell';

/** Takes the one-time link out of the address, so that it stays in no history and no screenshot. */
function takeLink(): string | null {
  const url = new URL(window.location.href);
  const link = url.searchParams.get('link');
  if (!link) return null;
  url.searchParams.delete('link');
  window.history.replaceState(null, '', url.pathname === '/sign-in' ? '/' : url.pathname + url.search);
  return link;
}

/** By link at once; else by name and password. Shown in place of every page while nobody is signed in. */
export function SignIn() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const link = useRef<string | null | undefined>(undefined);
  const signIn = useChange({ touches: ['session'], quiet: true });
  const send = (body: unknown) => signIn.mutate({ method: 'POST', path: '/session', body });
  useEffect(() => {
    document.title = `${s.signIn} · ${s.product}`;
    if (link.current !== undefined) return;
    link.current = takeLink();
    if (link.current) signIn.mutate({ method: 'POST', path: '/session', body: { link: link.current } });
  }, [signIn.mutate]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send({ name, password });
  };
  return (
    <main className="stack" style={{ maxWidth: 380, margin: '12vh auto 0', padding: 16 }} id="main">
      <div className="brand">
        <Brand />
        {s.product}
      </div>
      <h1 style={{ margin: 0 }}>{s.signIn}</h1>
      <p className="muted" style={{ margin: 0 }}>
        {signIn.isPending && link.current && !name ? s.signingIn : s.signInLead}
      </p>
      <ErrorNote thrown={signIn.error} />
      <form className="stack" onSubmit={submit}>
        <TextInput
          label={s.name}
          required
          autoComplete="username"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label={s.password}
          required
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" loading={signIn.isPending}>
          {s.signIn}
        </Button>
      </form>
    </main>
  );
}
