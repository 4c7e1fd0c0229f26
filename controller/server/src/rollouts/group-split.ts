/** How devices are dealt into groups: sizes by percent, and every profile in the canary if there is room. */

/**
 * Sizes of the groups for `devices` devices. Each takes its percent of all, at least one while any is left; the last
 * takes the rest. Example: 10 devices at [5, 25, 100] percent are [1, 3, 6]; 1 device is [1, 0, 0].
 */
export function groupSizes(devices: number, percents: readonly number[]): number[] {
  let left = devices;
  return percents.map((percent, index) => {
    const wanted = index === percents.length - 1 ? left : Math.max(1, Math.round((devices * percent) / 100));
    const size = Math.min(left, wanted);
    left -= size;
    return size;
  });
}

/**
 * Orders devices so that profiles alternate: [a1, a2, a3, b1] becomes [a1, b1, a2, a3]. A canary cut from the front
 * then holds every profile it has room for, and the per-profile gates have something to rest on.
 */
export function interleaveProfiles<T>(devices: readonly T[], profileOf: (device: T) => string): T[] {
  const cohorts = [...Map.groupBy(devices, profileOf).values()];
  const longest = Math.max(0, ...cohorts.map((cohort) => cohort.length));
  return Array.from({ length: longest }, (_, row) => cohorts.flatMap((cohort) => cohort.slice(row, row + 1))).flat();
}

/** The group index of each device in the given order. */
export function assignGroups(devices: number, percents: readonly number[]): number[] {
  return groupSizes(devices, percents).flatMap((size, index) => Array.from({ length: size }, () => index));
}
