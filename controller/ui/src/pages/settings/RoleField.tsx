import type { Role } from '@espalier/proto/api';
import { NativeSelect } from '@mantine/core';
import { settings as s } from '../../strings/settings';

interface Props {
  readonly value: Role;
  readonly onChange: (role: Role) => void;
}

/** The three roles, each with what it may. */
export const RoleField = ({ value, onChange }: Props) => (
  <NativeSelect
    label={s.role}
    value={value}
    onChange={(event) => onChange(event.currentTarget.value as Role)}
    data={(['viewer', 'operator', 'admin'] as const).map((role) => ({ value: role, label: s.roles[role] }))}
  />
);
