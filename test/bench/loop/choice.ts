/** Widths of a network as the loop chooses them, and what may be compared between two choices. */
import type { Prunable } from '@espalier/compression/prune/prunable';

export type Widths = ReadonlyMap<string, number>;

/** Error of removal, summed over the groups: how much accuracy a choice costs, as far as the choice itself knows. */
export const errorOf = ({ groups, removals }: Prunable, widths: Widths): number =>
  groups.reduce((sum, { id, channels: { length } }) => sum + removals.get(id)!.errors[length - widths.get(id)!]!, 0);
