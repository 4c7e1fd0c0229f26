import type { Role } from '@espalier/proto/api';
import type { ReactNode } from 'react';
import { useSession } from '../api/queries';

const rank: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

interface Props {
  /** The least role that sees it. */
  readonly least?: Role;
  readonly children: ReactNode;
}

/** What only some may do is absent for others. A courtesy of the page; the server decides. */
export function May({ least = 'operator', children }: Props) {
  const session = useSession();
  const own = session.data?.user.role ?? 'viewer';
  return rank[own] >= rank[least] ? children : null;
}
