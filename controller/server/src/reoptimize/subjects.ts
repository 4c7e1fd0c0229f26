import { Recipe } from '@espalier/proto';
import type { DeviceRecord } from '../devices/device.service.js';
import type { BudgetStatus } from '../fleet/budget-status.js';
import type { ModelEntity } from '../models/model.entity.js';
import type { LoopInput } from './loop.types.js';

/** One model on one profile that the loop looks at: it is served there, or it might be. */
export interface Subject {
  readonly model: ModelEntity;
  readonly profile: string;
  readonly status: BudgetStatus | null;
  readonly unbuilt: LoopInput['unbuilt'];
}

/** Every model and profile that is served, then those where a build is missing. Pure. */
export function subjectsOf(
  statuses: readonly BudgetStatus[],
  models: readonly ModelEntity[],
  devices: readonly DeviceRecord[],
): Subject[] {
  const served = statuses.map((status) => {
    const { model, profile } = status;
    return { model, profile, status, unbuilt: null };
  });
  return [...served, ...newVersions(statuses, models), ...newProfiles(statuses, devices)];
}

/** The newest version of a model, on profiles that serve an earlier one. */
function newVersions(statuses: readonly BudgetStatus[], models: readonly ModelEntity[]): Subject[] {
  const newest = [...Map.groupBy(models, ({ name }) => name).values()].map(
    (versions) => versions.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())[0]!,
  );
  return newest.flatMap((model) => {
    const profiles = new Set(statuses.filter((one) => one.model.id === model.id).map(({ profile }) => profile));
    const earlier = statuses.filter((one) => one.model.name === model.name && !profiles.has(one.profile));
    return earlier.map((status) => ({
      ...{ model, profile: status.profile, status: null },
      unbuilt: { why: 'new-version' as const, recipe: recipeOf(status), sinceMs: model.createdAt.getTime() },
    }));
  });
}

/** Profiles of devices that serve nothing yet, for every model that other profiles serve. */
function newProfiles(statuses: readonly BudgetStatus[], devices: readonly DeviceRecord[]): Subject[] {
  const known = devices.filter(({ profile }) => profile !== null);
  const idle = [...Map.groupBy(known, ({ profile }) => profile!)].filter(([, on]) =>
    on.every(({ servingDigest }) => servingDigest === null),
  );
  const byModel = [...Map.groupBy(statuses, ({ model }) => model.id).values()];
  return idle.flatMap(([profile, on]) =>
    byModel.map(([status]) => ({
      ...{ model: status!.model, profile, status: null },
      unbuilt: {
        ...{ why: 'new-profile' as const, recipe: recipeOf(status!) },
        sinceMs: Math.max(...on.map(({ enrolledAt }) => enrolledAt.getTime())),
      },
    })),
  );
}

const recipeOf = ({ method }: BudgetStatus): Recipe => Recipe.safeParse(method).data ?? 'float';
