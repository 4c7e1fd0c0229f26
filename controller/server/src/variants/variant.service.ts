import type { Recipe } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { NoProfiles, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import { DatasetService } from '../datasets/dataset.service.js';
import { DeviceService } from '../devices/device.service.js';
import { JobService } from '../jobs/job.service.js';
import { newPart } from '../jobs/job-part.js';
import type { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { BuildHandler, findProfile } from './build-handler.js';
import type { VariantEntity } from './variant.entity.js';
import { VariantRepository } from './variant.repository.js';

export interface BuildRequest {
  /** Empty: the profiles of enrolled devices. */
  readonly profiles: readonly string[];
  readonly recipes: readonly Recipe[];
  /** undefined: the model's. */
  readonly datasetId?: string | null | undefined;
  readonly requestedBy: string;
}

/** Queues builds; the rest of a variant's life is its job's. */
@Injectable()
export class VariantService {
  constructor(
    private readonly variants: VariantRepository,
    private readonly models: ModelService,
    private readonly datasets: DatasetService,
    private readonly devices: DeviceService,
    private readonly jobs: JobService,
    private readonly builds: BuildHandler,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  /** A variant for each profile and recipe, and one job for all; what is being built already is not queued twice. */
  async optimize(modelId: string, request: BuildRequest): Promise<VariantEntity[]> {
    let model = await this.models.get(modelId);
    const { datasetId } = request;
    if (datasetId) await this.datasets.get(datasetId);
    if (datasetId !== undefined && datasetId !== model.datasetId)
      model = await this.models.update(modelId, { datasetId });
    const profiles = request.profiles.length > 0 ? request.profiles : await this.#fleetProfiles();
    if (profiles.length === 0) throw NoProfiles({ model: model.name });
    for (const profile of profiles) await findProfile(profile);
    const existing = await this.variants.list(modelId);
    const wanted: VariantEntity[] = [];
    for (const profile of new Set(profiles)) {
      for (const recipe of new Set(request.recipes)) {
        const open = existing.find(
          (one) => one.profile === profile && one.recipe === recipe && one.state === 'building',
        );
        wanted.push(open ?? this.#newVariant(model, profile, recipe));
      }
    }
    const missing = wanted.filter((variant) => variant.jobId === null);
    const jobId = missing.length > 0 ? await this.#queue(model, missing, request.requestedBy) : null;
    return wanted.map((variant) => ({ ...variant, jobId: variant.jobId ?? jobId }));
  }

  async get(id: string): Promise<VariantEntity> {
    const variant = await this.variants.find(id);
    if (!variant) throw NotFound({ what: 'variant', id });
    return variant;
  }

  list(modelId?: string): Promise<VariantEntity[]> {
    return this.variants.list(modelId);
  }

  async cancelJob(jobId: string): Promise<void> {
    await this.jobs.cancel(jobId, (job, error) => this.builds.failed(job, error));
  }

  async retryJob(jobId: string): Promise<void> {
    const job = await this.jobs.retry(jobId);
    for (const { variantId, state } of job.parts)
      if (state !== 'ready') await this.variants.update(variantId, { state: 'building', error: null });
  }

  async #fleetProfiles(): Promise<string[]> {
    const devices = await this.devices.find('');
    return [...new Set(devices.map((device) => device.profile).filter((profile) => profile !== null))];
  }

  #newVariant(model: ModelEntity, profile: string, recipe: Recipe): VariantEntity {
    return {
      ...{ id: newId('var'), modelId: model.id, profile, recipe, method: recipe, state: 'building', note: null },
      ...{ digest: null, files: [], parts: null, report: null, predictedUs: null, trialUs: null, error: null },
      ...{ jobId: null, createdAt: this.clock.now() },
    };
  }

  /** One job for all these variants. @returns its id */
  async #queue(model: ModelEntity, variants: readonly VariantEntity[], requestedBy: string): Promise<string> {
    for (const variant of variants) await this.variants.insert(variant);
    const only = variants.length === 1 ? variants[0]! : null;
    const jobId = await this.jobs.enqueue({
      kind: 'build-variant',
      title: titleOf(model, variants),
      modelId: model.id,
      variantId: only?.id ?? null,
      profile: only?.profile ?? null,
      recipe: only?.recipe ?? null,
      datasetId: model.datasetId,
      requestedBy,
      parts: variants.map(({ id, profile, recipe }) => newPart({ variantId: id, profile, recipe })),
    });
    for (const { id } of variants) {
      await this.variants.update(id, { jobId });
      this.bus.emit('variant', id);
    }
    return jobId;
  }
}

/** "int8 of net 1 for rpi5", "6 builds of net 1 for 3 profiles". */
function titleOf({ name, version }: ModelEntity, variants: readonly VariantEntity[]): string {
  const profiles = [...new Set(variants.map(({ profile }) => profile))];
  const recipes = [...new Set(variants.map(({ recipe }) => recipe))];
  const what = variants.length === 1 ? recipes[0]! : `${variants.length} builds`;
  return `${what} of ${name} ${version} for ${profiles.length === 1 ? profiles[0]! : `${profiles.length} profiles`}`;
}
