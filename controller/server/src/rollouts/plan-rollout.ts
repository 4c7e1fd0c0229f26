import { errorBody } from '@espalier/proto';
import type { GroupPlan } from '@espalier/proto/api';
import { NoVariantForProfile } from '../common/errors.js';
import type { DeviceRecord } from '../devices/device.service.js';
import type { VariantEntity } from '../variants/variant.entity.js';
import { assignGroups, interleaveProfiles } from './group-split.js';
import type { ExecutionEntity } from './rollout.entity.js';

/** Profile of a device that matched none. */
const NO_PROFILE = 'none';

export interface Planned {
  readonly executions: Omit<ExecutionEntity, 'id'>[];
  /** Devices that serve their variant already: nothing is owed to them. */
  readonly current: readonly DeviceRecord[];
}

/**
 * Deals devices into groups, each with the variant of its profile. A device without one is REJECTED before any
 * download, with the reason. Pure.
 * @param variants the chosen variant by profile
 */
export function planRollout(
  rolloutId: string,
  model: string,
  devices: readonly DeviceRecord[],
  variants: ReadonlyMap<string, VariantEntity>,
  groups: readonly GroupPlan[],
  now: Date,
): Planned {
  const isCurrent = (device: DeviceRecord): boolean => {
    const wanted = variants.get(device.profile ?? NO_PROFILE)?.digest;
    return wanted !== undefined && wanted === device.servingDigest && device.healthy;
  };
  const current = devices.filter(isCurrent);
  const owed = interleaveProfiles(
    devices.filter((device) => !isCurrent(device)),
    (device) => device.profile ?? NO_PROFILE,
  );
  const indexes = assignGroups(
    owed.length,
    groups.map((group) => group.percent),
  );
  const executions = owed.map((device, at) => {
    const profile = device.profile ?? NO_PROFILE;
    const variant = variants.get(profile) ?? null;
    return {
      rolloutId,
      deviceId: device.id,
      deviceName: device.name,
      profile,
      group: indexes[at]!,
      direction: 'out' as const,
      state: variant ? ('QUEUED' as const) : ('REJECTED' as const),
      step: null,
      progress: null,
      variantId: variant?.id ?? null,
      digest: variant?.digest ?? null,
      previousDigest: device.servingDigest,
      sequence: -1,
      attempt: 0,
      skipped: false,
      settled: variant === null,
      error: variant ? null : errorBody(NoVariantForProfile({ model, profile })),
      dispatchedAt: null,
      updatedAt: now,
    };
  });
  return { executions, current };
}
