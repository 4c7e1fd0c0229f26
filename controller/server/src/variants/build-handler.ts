import path from 'node:path';
import { type HardwareProfile, loadProfiles } from '@espalier/compression';
import { type ArtifactFile, artifactDigest, type ErrorBody, Recipe, type Report } from '@espalier/proto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { Config } from '../common/config.js';
import { BuildDamaged, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import type { DatasetEntity } from '../datasets/dataset.entity.js';
import { DatasetService } from '../datasets/dataset.service.js';
import type { JobEntity } from '../jobs/job.entity.js';
import type { JobHandler } from '../jobs/job-handler.js';
import type { JobPart } from '../jobs/job-part.js';
import { JobRunner } from '../jobs/job-runner.js';
import type { BuildResult, BuildsTask, BuildTask, PartEnd } from '../jobs/worker-protocol.js';
import type { ModelEntity } from '../models/model.entity.js';
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

  async prepare(job: JobEntity): Promise<BuildsTask> {
    const model = await this.models.get(job.modelId!);
    const dataset = job.datasetId === null ? null : await this.datasets.get(job.datasetId);
    const outDir = path.join(this.config.dataDir, 'jobs', `${job.id}-${job.attempt}`);
    const parts: { variantId: string; task: BuildTask }[] = [];
    for (const part of job.parts.filter(({ state }) => state !== 'ready'))
      parts.push({ variantId: part.variantId, task: await this.#taskOf(part, { model, dataset, outDir }) });
    return { outDir, parts };
  }

  async #taskOf(
    part: JobPart,
    { model, dataset, outDir }: { model: ModelEntity; dataset: DatasetEntity | null; outDir: string },
  ): Promise<BuildTask> {
    const recipe = Recipe.parse(part.recipe);
    const isFloat = recipe === 'float';
    await this.variants.update(part.variantId, { state: 'building', error: null });
    this.bus.emit('variant', part.variantId);
    return {
      modelPath: this.store.pathOf(model.fileSha256),
      modelName: model.name,
      profile: await findProfile(part.profile),
      recipe,
      ...{ maxDrop: model.budget.maxAccuracyDrop, table: await this.tables.of(model.id, part.profile, recipe) },
      calibrate: isFloat ? (dataset?.calibrate ?? null) : (dataset?.calibrate ?? NO_DATA),
      evaluate: dataset?.evaluate ?? null,
      preprocess: model.preprocess,
      outDir: path.join(outDir, part.variantId),
    };
  }

  async part(job: JobEntity, variantId: string, end: PartEnd, outDir: string): Promise<void> {
    if ('error' in end) await this.#failed(variantId, end.error);
    else await this.#ready(job, variantId, end.built, path.join(outDir, variantId));
  }

  /** All parts were taken over as they ended. */
  async succeeded(): Promise<void> {}

  async #ready(job: JobEntity, variantId: string, result: BuildResult, outDir: string): Promise<void> {
    const model = await this.models.get(job.modelId!);
    const asked = job.parts.find((part) => part.variantId === variantId)?.recipe;
    const dataset = job.datasetId === null ? null : await this.datasets.get(job.datasetId);
    const files = result.files.filter((file) => file.path !== REPORT_FILE);
    await this.#store(files, outDir);
    const { entry, alternatives, inputs, outputs, sessionOptions, golden, report, kept, predictedUs } = result;
    await this.variants.update(variantId, {
      state: 'ready',
      method: kept,
      note: kept === asked ? null : `${kept} was kept: ${report.notes.join('; ') || 'no gain on this profile'}`,
      digest: artifactDigest(files),
      files,
      parts: { entry, alternatives, inputs, outputs, sessionOptions, golden },
      ...{ report: withFieldNote(report, dataset), predictedUs, trialUs: null, error: null },
    });
    const variant = await this.variants.find(variantId);
    if (variant) await this.releases.current(model, variant);
    this.bus.emit('variant', variantId);
    this.bus.emit('model', model.id);
  }

  /** What is ready stays so; a part that failed by itself keeps its own error. */
  async failed(job: JobEntity, error: ErrorBody): Promise<void> {
    for (const { variantId } of job.parts)
      if ((await this.variants.find(variantId))?.state === 'building') await this.#failed(variantId, error);
  }

  async #failed(variantId: string, error: ErrorBody): Promise<void> {
    await this.variants.update(variantId, { state: 'failed', error });
    this.bus.emit('variant', variantId);
  }

  /** Into the content-addressed store, each under the digest the builder gave it. */
  async #store(files: readonly ArtifactFile[], outDir: string): Promise<void> {
    for (const file of files) {
      const blob = await this.store.putFile(path.join(outDir, file.path));
      if (blob.sha256 !== file.sha256) throw BuildDamaged({ file: file.path });
    }
  }
}

/** A proof on data that devices gave says how much of it: those are inputs that the model was unsure of, harder than most. */
function withFieldNote(report: Report, dataset: DatasetEntity | null): Report {
  const { data, notes } = report;
  if (!dataset?.fieldSamples || data?.spec !== dataset.evaluate) return report;
  const note = `${dataset.fieldSamples} of the ${data.n} evaluation samples came from the field: inputs of low confidence that people labelled`;
  return { ...report, notes: [...notes, note] };
}

export async function findProfile(id: string): Promise<HardwareProfile> {
  const profile = (await loadProfiles()).find((candidate) => candidate.id === id);
  if (!profile) throw NotFound({ what: 'hardware profile', id });
  return profile;
}
