import type { Role } from '@espalier/proto/api';
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { useUsers } from '../../api/queries';
import { ErrorNote } from '../../components/ErrorNote';
import { Loaded } from '../../components/Loaded';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { doneToast } from '../../components/toasts';
import { When } from '../../components/When';
import { states } from '../../strings/common';
import { settings as s } from '../../strings/settings';
import { RoleField } from './RoleField';

function AddPerson() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const add = useChange({
    touches: ['users', 'audit'],
    quiet: true,
    onDone: () => {
      doneToast(s.personAdded(name));
      setName('');
      setPassword('');
    },
  });
  return (
    <details>
      <summary>{s.addPerson}</summary>
      <form
        className="card stack"
        style={{ marginBlockStart: 8, maxWidth: 420 }}
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ method: 'POST', path: '/users', body: { name, role, password } });
        }}
      >
        <TextInput
          label={s.name}
          required
          minLength={2}
          maxLength={64}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <RoleField value={role} onChange={setRole} />
        <PasswordInput
          label={s.password}
          description={s.passwordRule}
          required
          minLength={10}
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <ErrorNote thrown={add.error} />
        <Button type="submit" loading={add.isPending}>
          {s.addPerson}
        </Button>
      </form>
    </details>
  );
}

/** Who may sign in, and as what. */
export function People() {
  const users = useUsers(true);
  return (
    <Section title={s.people}>
      <div className="stack">
        <Loaded query={users}>
          {(rows) => (
            <Table
              label={s.people}
              rows={rows}
              keyOf={(row) => row.id}
              columns={[
                { name: s.name, cell: (row) => row.name },
                { name: s.role, cell: (row) => states[row.role] ?? row.role },
                { name: s.created, cell: (row) => <When at={row.createdAt} /> },
              ]}
            />
          )}
        </Loaded>
        <AddPerson />
      </div>
    </Section>
  );
}
