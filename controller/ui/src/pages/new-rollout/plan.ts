import type { GroupPlan } from '@espalier/proto/api';

/** The plan most people want, as the API's own default: a canary, a quarter, all. */
export const defaultGroups: GroupPlan[] = [
  { name: 'canary', percent: 5, successThreshold: 100, errorThreshold: 20, soakSeconds: 60 },
  { name: '25%', percent: 25, successThreshold: 95, errorThreshold: 20, soakSeconds: 60 },
  { name: 'all', percent: 100, successThreshold: 95, errorThreshold: 20, soakSeconds: 0 },
];

/** One more group before the last one, which always takes the rest. */
export function withGroup(groups: readonly GroupPlan[]): GroupPlan[] {
  const last = groups.at(-1);
  const before = groups.slice(0, -1);
  const percent = Math.min(100, (before.at(-1)?.percent ?? 5) * 2);
  const added: GroupPlan = {
    name: `group ${groups.length}`,
    percent,
    successThreshold: 95,
    errorThreshold: 20,
    soakSeconds: 60,
  };
  return [...before, added, ...(last ? [last] : [])];
}
