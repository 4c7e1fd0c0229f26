import type { MeasuredLatency, VariantRow, VariantView } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { MeasurementService } from '../devices/measurement.service.js';
import { summarizeFleet } from '../devices/summarize.js';
import type { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { keepsBudget } from './choose-variant.js';
import type { VariantEntity } from './variant.entity.js';
import { VariantRepository } from './variant.repository.js';
import { VariantService } from './variant.service.js';

/** Read model of variants: the claim, and what devices measured of it. */
@Injectable()
export class VariantViews {
  constructor(
    private readonly variants: VariantService,
    private readonly repository: VariantRepository,
    private readonly models: ModelService,
    private readonly measurements: MeasurementService,
  ) {}

  async list(modelId?: string): Promise<VariantRow[]> {
    const models = new Map((await this.models.list()).map((model) => [model.id, model]));
    const rows: VariantRow[] = [];
    for (const variant of await this.variants.list(modelId)) {
      const model = models.get(variant.modelId);
      if (model) rows.push(toRow(variant, model, await this.#measured(variant)));
    }
    return rows;
  }

  /** @throws ESP_NOT_FOUND */
  async one(id: string): Promise<VariantView> {
    const variant = await this.variants.get(id);
    const model = await this.models.get(variant.modelId);
    const release = await this.repository.latestRelease(id);
    const { report, files } = variant;
    const row = toRow(variant, model, await this.#measured(variant));
    return { ...row, report, files, keyid: release?.keyid ?? null, releaseCounter: release?.counter ?? null };
  }

  async #measured({ digest, profile }: VariantEntity): Promise<MeasuredLatency | null> {
    return digest
      ? summarizeFleet(await this.measurements.summary({ digest, profile, scenario: 'single-stream' }))
      : null;
  }
}

function toRow(variant: VariantEntity, model: ModelEntity, measured: MeasuredLatency | null): VariantRow {
  const { report } = variant;
  const { id, modelId, profile, method, state, note, digest, jobId, error, predictedUs, trialUs } = variant;
  return {
    ...{ id, modelId, profile, method, state, note, digest, jobId, error, measured },
    ...{ predictedUs, trialUs },
    ...{ model: model.name, modelVersion: model.version, createdAt: variant.createdAt.toISOString() },
    ...{ sizeBytes: report?.variant.sizeBytes ?? null, sizeRatio: report?.sizeRatio ?? null },
    ...{ top1: report?.variant.top1 ?? null, top1Float: report?.float.top1 ?? null, n: report?.data?.n ?? null },
    ...{ fixed: report?.fixed ?? null, broken: report?.broken ?? null },
    proofP50Us: report?.variant.latency?.p50Us ?? null,
    proofSpeedup: report?.speedup ?? null,
    accuracyOk: report ? keepsBudget(report, model.budget) : null,
  };
}
