import { type ErrorBody, errorBody } from '@espalier/proto';
import type { JobView, Page } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { JobCanceled, JobStillOpen, NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import { estimateLeft } from './eta.js';
import type { JobEntity } from './job.entity.js';
import { JobRepository } from './job.repository.js';
import type { JobPart } from './job-part.js';
import { JobRunner } from './job-runner.js';

export interface NewJob {
  readonly kind: JobEntity['kind'];
  readonly title: string;
  readonly modelId: string;
  readonly variantId: string | null;
  readonly profile: string | null;
  readonly recipe: string | null;
  readonly datasetId: string | null;
  readonly parts?: readonly JobPart[];
  readonly requestedBy: string;
}

/** The queue as other domains and the API see it. */
@Injectable()
export class JobService {
  constructor(
    private readonly jobs: JobRepository,
    private readonly runner: JobRunner,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  async enqueue({ parts = [], ...job }: NewJob): Promise<string> {
    const id = newId('job');
    const empty = { owner: null, leaseUntil: null, step: null, stepIndex: null, steps: null, error: null };
    const times = { createdAt: this.clock.now(), startedAt: null, endedAt: null };
    await this.jobs.insert({
      ...job,
      ...empty,
      ...times,
      id,
      state: 'QUEUED',
      attempt: 0,
      cancelAsked: false,
      progress: 0,
      log: [],
      curve: [],
      parts: [...parts],
    });
    this.bus.emit('job', id);
    this.runner.wake();
    return id;
  }

  /** Ends a job: at once in the queue, within seconds when it runs. `ended` jobs stay as they are. */
  async cancel(id: string, failed: (job: JobEntity, error: ErrorBody) => Promise<void>): Promise<JobView> {
    const job = await this.get(id);
    const was = await this.jobs.cancel(id, this.clock.now());
    if (was === 'running') this.runner.cancel(id);
    if (was === 'queued') await failed(job, errorBody(JobCanceled({ title: job.title })));
    this.bus.emit('job', id);
    return this.view(id);
  }

  /** Queues a failed or canceled job once more, with all its attempts. */
  async retry(id: string): Promise<JobEntity> {
    const job = await this.get(id);
    if (!(await this.jobs.restart(id))) throw JobStillOpen({ title: job.title, state: job.state });
    this.bus.emit('job', id);
    this.runner.wake();
    return job;
  }

  async get(id: string): Promise<JobEntity> {
    const job = await this.jobs.find(id);
    if (!job) throw NotFound({ what: 'job', id });
    return job;
  }

  async view(id: string): Promise<JobView> {
    return this.#viewOf(await this.get(id));
  }

  /** Newest first; the cursor is the offset of the next page. */
  async list(limit: number, cursor: string | undefined): Promise<Page<JobView>> {
    const offset = Number(cursor ?? 0) || 0;
    const [rows, total] = await this.jobs.list(limit, offset);
    const items: JobView[] = [];
    for (const row of rows) items.push(await this.#viewOf(row));
    const next = offset + rows.length < total ? String(offset + rows.length) : null;
    return { items, next, total };
  }

  isBusy(modelId: string, profile: string): Promise<boolean> {
    return this.jobs.countOpen(modelId, profile).then((count) => count > 0);
  }

  async #viewOf(job: JobEntity): Promise<JobView> {
    const isOpen = job.state === 'QUEUED' || job.state === 'RUNNING';
    const elapsedMs =
      job.state === 'RUNNING' && job.startedAt ? this.clock.now().getTime() - job.startedAt.getTime() : 0;
    // Jobs of several builds are not alike: they are judged by their own progress alone.
    const isAlike = isOpen && job.parts.length < 2;
    const past = isAlike ? await this.jobs.pastSeconds(job.profile, job.recipe) : [];
    const { id, kind, title, state, modelId, variantId, profile, recipe, requestedBy, attempt } = job;
    return {
      ...{ id, kind, title, state, modelId, variantId, profile, recipe, requestedBy, attempt },
      step: job.step,
      stepIndex: job.stepIndex,
      steps: job.steps,
      progress: job.progress,
      etaSeconds: isOpen ? estimateLeft(past, elapsedMs / 1000, job.progress) : null,
      log: job.log,
      curve: job.curve,
      parts: [...job.parts],
      error: job.error,
      createdAt: job.createdAt.toISOString(),
      startedAt: job.startedAt?.toISOString() ?? null,
      endedAt: job.endedAt?.toISOString() ?? null,
    };
  }
}
