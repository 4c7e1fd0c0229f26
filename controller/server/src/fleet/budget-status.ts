import type { FleetView, MeasuredLatency } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DeviceService } from '../devices/device.service.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { summarizeFleet } from '../devices/summarize.js';
import type { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { VariantService } from '../variants/variant.service.js';

export type Verdict = FleetView['budgets'][number]['verdict'];

/** One model on one profile, as it is served now. */
export interface BudgetStatus {
  readonly model: ModelEntity;
  readonly profile: string;
  /** Devices of the profile that serve this model. */
  readonly deviceIds: readonly string[];
  readonly servingDigest: string;
  readonly method: string;
  readonly latency: MeasuredLatency | null;
  readonly verdict: Verdict;
}

export function verdictOf(model: ModelEntity, latency: MeasuredLatency | null): Verdict {
  if (model.budget.p95Us === null) return 'no-budget';
  if (!latency || latency.p95Us === null) return 'unmeasured';
  return latency.p95Us <= model.budget.p95Us ? 'meets' : 'misses';
}

/** Whether budgets hold on the fleet now: what the home page, the model page and the closed loop all read. */
@Injectable()
export class BudgetStatuses {
  constructor(
    private readonly devices: DeviceService,
    private readonly models: ModelService,
    private readonly variants: VariantService,
    private readonly measurements: MeasurementService,
  ) {}

  /** One entry for each (model, profile) that some device serves, with the digest that most of them serve. */
  async read(): Promise<BudgetStatus[]> {
    const models = new Map((await this.models.list()).map((model) => [model.id, model]));
    const variants = (await this.variants.list()).filter(({ digest }) => digest !== null);
    const devices = (await this.devices.find('')).filter(({ profile, servingDigest }) => profile && servingDigest);
    const statuses: BudgetStatus[] = [];
    for (const [profile, ofProfile] of Map.groupBy(devices, (device) => device.profile!)) {
      const byModel = Map.groupBy(
        ofProfile,
        ({ servingDigest }) => variants.find((one) => one.digest === servingDigest && one.profile === profile)?.modelId,
      );
      for (const [modelId, serving] of byModel) {
        const model = modelId ? models.get(modelId) : undefined;
        if (!model) continue;
        const [digest, on] = [...Map.groupBy(serving, (device) => device.servingDigest!)].toSorted(
          (a, b) => b[1].length - a[1].length,
        )[0]!;
        const deviceIds = on.map(({ id }) => id);
        // An artifact may have served under an earlier version of the model; that was then.
        const query = { deviceIds, digest, since: model.createdAt, scenario: 'single-stream' };
        const latency = summarizeFleet(await this.measurements.summary(query));
        const method = variants.find((one) => one.digest === digest && one.profile === profile)?.method ?? 'unknown';
        statuses.push({
          model,
          profile,
          deviceIds,
          servingDigest: digest,
          method,
          latency,
          verdict: verdictOf(model, latency),
        });
      }
    }
    return statuses;
  }
}
