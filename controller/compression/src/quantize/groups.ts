/** Cuts a list, in order, into runs whose sizes together stay within `most`; one that is larger alone is a run of its own. */
export function inGroups<One>(list: readonly One[], sizeOf: (one: One) => number, most: number): One[][] {
  const groups: One[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const one of list) {
    const next = sizeOf(one);
    if (size + next > most) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(one);
    size += next;
  }
  return groups;
}
