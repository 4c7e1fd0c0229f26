import type { ModelRow, ModelView } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DeviceService } from '../devices/device.service.js';
import { type BudgetStatus, BudgetStatuses, verdictOf } from '../fleet/budget-status.js';
import { LoopSwitches } from '../reoptimize/loop-switches.js';
import { VariantViews } from '../variants/variant.view.js';
import type { ModelEntity } from './model.entity.js';
import { ModelService } from './model.service.js';

/** Read model of the model pages. */
@Injectable()
export class ModelViews {
  constructor(
    private readonly models: ModelService,
    private readonly variants: VariantViews,
    private readonly devices: DeviceService,
    private readonly budgets: BudgetStatuses,
    private readonly switches: LoopSwitches,
  ) {}

  async list(): Promise<ModelRow[]> {
    const variants = await this.variants.list();
    const statuses = await this.budgets.read();
    return (await this.models.list()).map((model) =>
      toRow(model, variants.filter(({ modelId }) => modelId === model.id).length, statuses),
    );
  }

  /** @throws ESP_NOT_FOUND */
  async one(id: string): Promise<ModelView> {
    const model = await this.models.get(id);
    const variantRows = await this.variants.list(id);
    const statuses = await this.budgets.read();
    const { info, preprocess, labels } = model;
    const fleet = await this.#fleet(model, statuses);
    return { ...toRow(model, variantRows.length, statuses), info, preprocess, labels, variantRows, fleet };
  }

  /** Every profile of the fleet, also those that do not serve this model yet. */
  async #fleet(model: ModelEntity, statuses: readonly BudgetStatus[]): Promise<ModelView['fleet']> {
    const off = await this.switches.off(model.id);
    const counts = Map.groupBy(
      (await this.devices.find('')).filter(({ profile }) => profile !== null),
      ({ profile }) => profile!,
    );
    return [...counts].map(([profile, devices]) => {
      const status = statuses.find((one) => one.model.id === model.id && one.profile === profile);
      const latency = status?.latency ?? null;
      return {
        profile,
        devices: devices.length,
        serving: status?.method ?? null,
        automatic: !off.has(profile),
        latency,
        verdict: verdictOf(model, latency),
      };
    });
  }
}

function toRow(model: ModelEntity, variants: number, statuses: readonly BudgetStatus[]): ModelRow {
  const { id, name, version, sizeBytes, budget, autoOptimize, requireApproval, trustContended, datasetId } = model;
  const devices = statuses
    .filter((status) => status.model.id === id)
    .reduce((sum, { deviceIds }) => sum + deviceIds.length, 0);
  return {
    ...{ id, name, version, sizeBytes, budget, autoOptimize, requireApproval, trustContended, datasetId },
    ...{ variants, devices },
    createdAt: model.createdAt.toISOString(),
  };
}
