import type { FleetView } from '@espalier/proto/api';
import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type DeviceRecord, DeviceService } from '../devices/device.service.js';
import { statusOf } from '../devices/device-filter.js';
import { JobService } from '../jobs/job.service.js';
import { ModelService } from '../models/model.service.js';
import { driftWords } from '../quality/drift.js';
import { type QualityNow, QualityService } from '../quality/quality.service.js';
import type { RolloutEntity } from '../rollouts/rollout.entity.js';
import { RolloutRepository } from '../rollouts/rollout.repository.js';
import { VariantViews } from '../variants/variant.view.js';
import { type BudgetStatus, BudgetStatuses } from './budget-status.js';

/** The home page: is anything wrong, and what is going on. */
@ApiTags('fleet')
@Controller('api/v1/fleet')
export class FleetController {
  constructor(
    private readonly devices: DeviceService,
    private readonly budgets: BudgetStatuses,
    private readonly rollouts: RolloutRepository,
    private readonly jobs: JobService,
    private readonly variants: VariantViews,
    private readonly quality: QualityService,
    private readonly models: ModelService,
  ) {}

  @Get()
  async fleet(): Promise<FleetView> {
    const devices = await this.devices.find('');
    const statuses = await this.budgets.read();
    const live = await this.rollouts.live();
    const jobs = await this.jobs.list(100, undefined);
    const models = new Map((await this.models.list()).map((model) => [model.id, `${model.name} ${model.version}`]));
    const count = (status: string): number => devices.filter((device) => statusOf(device) === status).length;
    return {
      devices: {
        total: devices.length,
        online: count('online'),
        offline: count('offline'),
        degraded: count('degraded'),
      },
      attention: [...attentionOf(devices, statuses, live), ...driftAttention(await this.quality.now(), models)],
      served: await this.#served(devices),
      budgets: statuses.map(({ model, profile, latency, verdict }) => ({
        ...{ modelId: model.id, model: `${model.name} ${model.version}`, profile, latency, verdict },
        budgetP95Us: model.budget.p95Us,
      })),
      runningRollouts: live.filter(({ state }) => state !== 'PAUSED').length,
      runningJobs: jobs.items.filter(({ state }) => state === 'RUNNING' || state === 'QUEUED').length,
    };
  }

  async #served(devices: readonly DeviceRecord[]): Promise<FleetView['served']> {
    const variants = await this.variants.list();
    const serving = devices.filter(({ servingDigest }) => servingDigest);
    return [
      ...Map.groupBy(serving, ({ servingDigest, profile }) =>
        variants.find((one) => one.digest === servingDigest && one.profile === profile),
      ),
    ].map(([variant, on]) => ({
      ...{
        model: variant?.model ?? 'unknown',
        modelVersion: variant?.modelVersion ?? '',
        method: variant?.method ?? 'unknown',
      },
      ...{ variantId: variant?.id ?? null, devices: on.length },
    }));
  }
}

/** Builds that say something else than in their evaluation. Pure. */
export function driftAttention(
  quality: readonly QualityNow[],
  models: ReadonlyMap<string, string>,
): FleetView['attention'] {
  return quality
    .filter(({ drift }) => drift.verdict === 'drifted')
    .map(({ modelId, profile, drift, deviceIds: [only, ...others] }) => ({
      ...{ severity: 'warning' as const, code: 'QUALITY_DRIFT' },
      title: `${models.get(modelId) ?? modelId} answers otherwise than in its evaluation on ${profile}`,
      reason: driftWords(drift),
      action:
        'Look at what the devices see now: samples for labelling, on the page of the model, show it. If it is right, evaluate and train on data like it.',
      link: others.length === 0 ? `/devices/${only}` : `/models/${modelId}`,
    }));
}

/** What a person should look at, the worst first. Pure. */
export function attentionOf(
  devices: readonly DeviceRecord[],
  budgets: readonly BudgetStatus[],
  live: readonly RolloutEntity[],
): FleetView['attention'] {
  const degraded = devices
    .filter(({ healthy }) => !healthy)
    .map((device) => ({
      ...{
        severity: 'failed' as const,
        code: device.error?.code ?? 'ESP_DEGRADED',
        title: `${device.name} is degraded`,
        link: `/devices/${device.id}`,
      },
      ...{
        reason: device.error?.message ?? 'it reports that it does not serve',
        action: device.error?.action ?? 'Look at the device.',
      },
    }));
  const unmatched = devices
    .filter(({ profile }) => profile === null)
    .map((device) => ({
      ...{
        severity: 'warning' as const,
        code: 'ESP_PROFILE_UNMATCHED',
        title: `${device.name} has no hardware profile`,
        link: `/devices/${device.id}`,
      },
      ...{
        reason: 'No profile fits its facts, so nothing is built for it.',
        action: 'Look at its facts; add a profile for this hardware.',
      },
    }));
  const paused = live
    .filter(({ state }) => state === 'PAUSED')
    .map((rollout) => ({
      ...{
        severity: 'warning' as const,
        code: rollout.reason?.split(':')[0] ?? 'PAUSED',
        title: `Rollout ${rollout.name} is paused`,
        link: `/rollouts/${rollout.id}`,
      },
      ...{ reason: rollout.reason ?? 'paused', action: 'Resume it, stop it, or roll it back.' },
    }));
  const missed = budgets
    .filter(({ verdict }) => verdict === 'misses')
    .map(({ model, profile, latency }) => ({
      ...{
        severity: 'warning' as const,
        code: 'BUDGET_MISSED',
        title: `${model.name} misses its budget on ${profile}`,
        link: `/models/${model.id}`,
      },
      reason: `measured p95 ${latency?.p95Us} us, budget ${model.budget.p95Us} us`,
      action: model.autoOptimize
        ? 'The closed loop works on it; see Optimizations.'
        : 'Switch automatic optimization on, or build another variant.',
    }));
  return [...degraded, ...paused, ...missed, ...unmatched];
}
