import path from 'node:path';
import type { PlannedFile } from '@espalier/compression';
import { type ErrorBody, errorBody } from '@espalier/proto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { Clock } from '../common/clock.js';
import { Config } from '../common/config.js';
import { newId } from '../common/ids.js';
import { DatasetService } from '../datasets/dataset.service.js';
import type { JobEntity } from '../jobs/job.entity.js';
import { JobService } from '../jobs/job.service.js';
import type { JobHandler } from '../jobs/job-handler.js';
import { JobRunner } from '../jobs/job-runner.js';
import { ModelService } from '../models/model.service.js';
import { findProfile } from '../variants/build-handler.js';
import type { VariantEntity } from '../variants/variant.entity.js';
import type { TimingPlanEntity } from './timing.entity.js';
import { TimingRepository } from './timing.repository.js';
import { TimingService } from './timing.service.js';

const NO_DATA = 'random:8';

/** Plans what devices time: the networks of a latency table in a job, or one build that is there already. */
@Injectable()
export class PlanHandler implements JobHandler<'plan-timing'>, OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly jobs: JobService,
    private readonly plans: TimingRepository,
    private readonly timing: TimingService,
    private readonly models: ModelService,
    private readonly datasets: DatasetService,
    private readonly store: ArtifactStore,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.runner.register('plan-timing', this);
  }

  /** Queues the making of the networks; devices are asked when they are there. */
  async planTable(modelId: string, profile: string, requestedBy: string): Promise<string> {
    const model = await this.models.get(modelId);
    const { session } = await findProfile(profile);
    const plan = this.#newPlan({ kind: 'table', modelId, profile, sessionOptions: session });
    await this.plans.insert(plan);
    const jobId = await this.jobs.enqueue({
      ...{ kind: 'plan-timing', title: `latency table of ${model.name} ${model.version} for ${profile}` },
      ...{ modelId, variantId: null, profile, recipe: null, datasetId: model.datasetId, requestedBy },
    });
    await this.plans.update(plan.id, { jobId });
    return jobId;
  }

  /** One device of the profile measures a build that serves nowhere yet. @throws ESP_NO_DEVICE_TO_TIME */
  async planTrial({ id, modelId, profile, files, parts }: VariantEntity): Promise<void> {
    const model = files.find(({ path: name }) => name === parts!.entry)!;
    const networks = [{ share: 1, sha256: model.sha256, bytes: model.bytes, works: {} }];
    const { sessionOptions } = parts!;
    const plan = this.#newPlan({ kind: 'trial', modelId, profile, sessionOptions, variantId: id, networks });
    await this.plans.insert({ ...plan, state: 'measuring' });
    await this.#ask({ ...plan, state: 'measuring' });
  }

  async prepare(job: JobEntity) {
    const model = await this.models.get(job.modelId!);
    const dataset = job.datasetId === null ? null : await this.datasets.get(job.datasetId);
    return {
      ...{ modelPath: this.store.pathOf(model.fileSha256), profile: await findProfile(job.profile!) },
      ...{ calibrate: dataset?.calibrate ?? NO_DATA, preprocess: model.preprocess },
      outDir: path.join(this.config.dataDir, 'jobs', `${job.id}-${job.attempt}`),
    };
  }

  async succeeded(job: JobEntity, files: readonly PlannedFile[], outDir: string): Promise<void> {
    const plan = await this.#planOf(job);
    if (plan?.state !== 'planning') return;
    const networks = files.map(({ share, file, works }) => ({ share, sha256: file.sha256, bytes: file.bytes, works }));
    for (const { file } of files) await this.store.putFile(path.join(outDir, file.path));
    await this.plans.update(plan.id, { state: 'measuring', networks });
    await this.#ask({ ...plan, networks });
  }

  async failed(job: JobEntity, { message }: ErrorBody): Promise<void> {
    const plan = await this.#planOf(job);
    if (plan?.state === 'planning') await this.#fail(plan.id, message);
  }

  /** What a restart or a canceled job left open comes to its end. */
  async settleAll(): Promise<void> {
    for (const plan of await this.plans.open()) {
      if (plan.state === 'measuring') await this.timing.settle(plan.id);
      else if (plan.jobId === null || ['FAILED', 'CANCELED'].includes((await this.jobs.get(plan.jobId)).state))
        await this.#fail(plan.id, 'its job ended without networks');
    }
  }

  async #ask(plan: TimingPlanEntity): Promise<void> {
    try {
      await this.timing.ask(plan);
    } catch (error) {
      await this.#fail(plan.id, errorBody(error).message);
    }
  }

  #fail(id: string, reason: string): Promise<void> {
    return this.plans.update(id, { state: 'failed', reason, endedAt: this.clock.now() });
  }

  async #planOf({ id, modelId, profile }: JobEntity): Promise<TimingPlanEntity | undefined> {
    return (await this.plans.plans(modelId!, profile!)).find(({ jobId }) => jobId === id);
  }

  #newPlan(
    about: Pick<TimingPlanEntity, 'kind' | 'modelId' | 'profile' | 'sessionOptions'> & Partial<TimingPlanEntity>,
  ): TimingPlanEntity {
    return {
      ...{ id: newId('plan', 12), state: 'planning', reason: null, variantId: null, networks: [], jobId: null },
      ...{ createdAt: this.clock.now(), endedAt: null },
      ...about,
    };
  }
}
