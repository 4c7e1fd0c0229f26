import path from 'node:path';
import { type HardwareProfile, loadProfiles } from '@espalier/compression';
import { type ArtifactFile, artifactDigest, type ErrorBody, Recipe } from '@espalier/proto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { Config } from '../common/config.js';
import { BuildDamaged, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { DatasetService } from '../datasets/dataset.service.js';
import type { JobEntity } from '../jobs/job.entity.js';
import type { JobHandler } from '../jobs/job-handler.js';
import { JobRunner } from '../jobs/job-runner.js';
import type { BuildResult, BuildTask } from '../jobs/worker-protocol.js';
import { ModelService } from '../models/model.service.js';
import { TableSource } from '../timing/table-source.js';
import { ReleaseService } from './release.service.js';
import { VariantRepository } from './variant.repository.js';

/** Without data, scales come from feeds drawn from the input shapes; the report says so. */
const NO_DATA = 'random:32';
/** The report is the controller's; devices do not carry it. */
const REPORT_FILE = 'report.json';

/** Builds variants: makes the worker's task, and takes over what it built. */
@Injectable()
export class BuildHandler implements JobHandler<'build-variant'>, OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly variants: VariantRepository,
    private readonly models: ModelService,
    private readonly datasets: DatasetService,
    private readonly releases: ReleaseService,
    private readonly store: ArtifactStore,
    private readonly config: Config,
    private readonly tables: TableSource,
    private readonly bus: EventBus,
  ) {}

  onModuleInit(): void {
    this.runner.register('build-variant', this);
  }

  async prepare(job: JobEntity): Promise<BuildTask> {
    const model = await this.models.get(job.modelId!);
    const dataset = job.datasetId === null ? null : await this.datasets.get(job.datasetId);
    const recipe = Recipe.parse(job.recipe);
    const isFloat = recipe === 'float';
    await this.variants.update(job.variantId!, { state: 'building', error: null });
    this.bus.emit('variant', job.variantId!);
    return {
      modelPath: this.store.pathOf(model.fileSha256),
      modelName: model.name,
      profile: await findProfile(job.profile!),
      recipe,
      ...{ maxDrop: model.budget.maxAccuracyDrop, table: await this.tables.of(model.id, job.profile!, recipe) },
      calibrate: isFloat ? (dataset?.calibrate ?? null) : (dataset?.calibrate ?? NO_DATA),
      evaluate: dataset?.evaluate ?? null,
      preprocess: model.preprocess,
      outDir: path.join(this.config.dataDir, 'jobs', `${job.id}-${job.attempt}`),
    };
  }

  async succeeded(job: JobEntity, result: BuildResult, outDir: string): Promise<void> {
    const model = await this.models.get(job.modelId!);
    const files = result.files.filter((file) => file.path !== REPORT_FILE);
    await this.#store(files, outDir);
    const { entry, inputs, outputs, sessionOptions, golden, report, kept, predictedUs } = result;
    await this.variants.update(job.variantId!, {
      state: 'ready',
      method: kept,
      note: kept === job.recipe ? null : `${kept} was kept: ${report.notes.join('; ') || 'no gain on this profile'}`,
      digest: artifactDigest(files),
      files,
      parts: { entry, inputs, outputs, sessionOptions, golden },
      ...{ report, predictedUs, trialUs: null, error: null },
    });
    const variant = await this.variants.find(job.variantId!);
    if (variant) await this.releases.current(model, variant);
    this.bus.emit('variant', job.variantId!);
    this.bus.emit('model', model.id);
  }

  async failed(job: JobEntity, error: ErrorBody): Promise<void> {
    if (!job.variantId) return;
    await this.variants.update(job.variantId, { state: 'failed', error });
    this.bus.emit('variant', job.variantId);
  }

  /** Into the content-addressed store, each under the digest the builder gave it. */
  async #store(files: readonly ArtifactFile[], outDir: string): Promise<void> {
    for (const file of files) {
      const blob = await this.store.putFile(path.join(outDir, file.path));
      if (blob.sha256 !== file.sha256) throw BuildDamaged({ file: file.path });
    }
  }
}

export async function findProfile(id: string): Promise<HardwareProfile> {
  const profile = (await loadProfiles()).find((candidate) => candidate.id === id);
  if (!profile) throw NotFound({ what: 'hardware profile', id });
  return profile;
}
