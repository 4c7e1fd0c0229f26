import type { ApiToken, Role } from '@espalier/proto/api';
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { useTokens } from '../../api/queries';
import { Confirm } from '../../components/Confirm';
import { Copyable } from '../../components/Copyable';
import { ErrorNote } from '../../components/ErrorNote';
import { Loaded } from '../../components/Loaded';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { When } from '../../components/When';
import { states } from '../../strings/common';
import { settings as s } from '../../strings/settings';
import { RoleField } from './RoleField';

const touches = ['tokens', 'audit'] as const;

/** The secret is in the answer of its making and never again; so it is shown, whole, to be copied. */
function AddToken() {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const add = useChange<ApiToken & { secret: string }>({ touches, quiet: true, onDone: () => setName('') });
  return (
    <details>
      <summary>{s.addToken}</summary>
      <form
        className="card stack"
        style={{ marginBlockStart: 8, maxWidth: 420 }}
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ method: 'POST', path: '/tokens', body: { name, role } });
        }}
      >
        <TextInput
          label={s.name}
          required
          maxLength={64}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <RoleField value={role} onChange={setRole} />
        <ErrorNote thrown={add.error} />
        <Button type="submit" loading={add.isPending}>
          {s.addToken}
        </Button>
        {add.data && (
          <div className="stack" role="status">
            <strong>{s.tokenOnce}</strong>
            <Copyable value={add.data.secret} />
          </div>
        )}
      </form>
    </details>
  );
}

/** Tokens for programs; revoking one asks for its name, because programs stop at once. */
export function Tokens() {
  const tokens = useTokens(true);
  const [asked, setAsked] = useState<ApiToken | null>(null);
  const revoke = useChange({ touches, quiet: true, onDone: () => setAsked(null) });
  return (
    <Section title={s.tokens}>
      <div className="stack">
        <span className="muted small">{s.tokensLead}</span>
        <Loaded query={tokens}>
          {(rows) =>
            rows.length === 0 ? (
              <span className="muted">{s.tokensEmpty}</span>
            ) : (
              <Table
                label={s.tokens}
                rows={rows}
                keyOf={(row) => row.id}
                columns={[
                  { name: s.name, cell: (row) => row.name },
                  { name: s.role, cell: (row) => states[row.role] ?? row.role },
                  { name: s.lastUsed, cell: (row) => <When at={row.lastUsedAt} /> },
                  {
                    name: s.revoke,
                    cell: (row) => (
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`${s.revoke}: ${row.name}`}
                        onClick={() => setAsked(row)}
                      >
                        {s.revoke}
                      </Button>
                    ),
                  },
                ]}
              />
            )
          }
        </Loaded>
        <AddToken />
        {asked && (
          <Confirm
            title={`${s.revoke}: ${asked.name}`}
            verb={s.revoke}
            name={asked.name}
            busy={revoke.isPending}
            error={revoke.error}
            onClose={() => setAsked(null)}
            onConfirm={() => revoke.mutate({ method: 'DELETE', path: `/tokens/${asked.id}` })}
          >
            {s.revokeLead(asked.name)}
          </Confirm>
        )}
      </div>
    </Section>
  );
}
