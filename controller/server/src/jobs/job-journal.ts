import { errorBody } from '@espalier/proto';
import type { CurvePoint } from '@espalier/proto/api';
import { Logger } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { EventBus } from '../common/events.js';
import type { JobEntity } from './job.entity.js';
import type { JobRepository } from './job.repository.js';
import { withPart } from './job-part.js';
import { withPoint } from './training-curve.js';
import type { PartEnd, Progress } from './worker-protocol.js';

/** Progress goes to the database and to watchers at most so often. */
const PROGRESS_MS = 700;

/** What a job comes to while it runs: progress, parts and lines of the log, in the database and to watchers. */
export class JobJournal {
  readonly #logger = new Logger(JobJournal.name);

  constructor(
    private readonly jobs: JobRepository,
    private readonly clock: Clock,
    private readonly bus: EventBus,
    /** Who holds the lease of the jobs that are written of. */
    private readonly owner: string,
  ) {}

  /** Takes progress of one attempt: writes it now and then, and each new step as a line of the log. */
  progressOf(job: JobEntity): (progress: Progress) => void {
    let lastMs = 0;
    let lastStep = '';
    let curve: CurvePoint[] = [];
    return (progress) => {
      const nowMs = this.clock.now().getTime();
      const about = `${progress.part?.variantId ?? ''} ${progress.step}`;
      const isNewStep = about !== lastStep;
      if (!isNewStep && nowMs - lastMs < PROGRESS_MS) return;
      lastMs = nowMs;
      lastStep = about;
      if (progress.part) {
        const { variantId, fraction } = progress.part;
        job.parts = withPart(job.parts, variantId, { state: 'building', step: progress.step, progress: fraction });
      }
      if (progress.loss !== undefined) curve = withPoint(curve, { share: progress.fraction, loss: progress.loss });
      void this.#write(job, progress, curve, isNewStep ? new Date(nowMs) : null).catch((error) =>
        this.#logger.warn(errorBody(error).message),
      );
    };
  }

  /** One part of several is done, or has failed. */
  async partEnded(job: JobEntity, variantId: string, end: PartEnd): Promise<void> {
    const ended =
      'error' in end ? { state: 'failed' as const, error: end.error } : { state: 'ready' as const, progress: 1 };
    job.parts = withPart(job.parts, variantId, { step: null, ...ended });
    await this.jobs.parts(job.id, this.owner, job.parts);
    const part = job.parts.find((one) => one.variantId === variantId);
    const how = 'error' in end ? `${end.error.code}: ${end.error.message}` : 'ready';
    if (job.parts.length > 1)
      await this.jobs.log(job.id, this.clock.now(), `${part?.recipe} for ${part?.profile}: ${how}`);
    this.bus.emit('job', job.id);
  }

  /** @param steppedAt when a new step began, which is a line of the log; null within a step */
  async #write(
    job: JobEntity,
    progress: Progress,
    curve: readonly CurvePoint[],
    steppedAt: Date | null,
  ): Promise<void> {
    await this.jobs.progress(job.id, this.owner, progress, [...curve]);
    if (progress.part) await this.jobs.parts(job.id, this.owner, job.parts);
    const text = progress.message ? `${progress.step}: ${progress.message}` : progress.step;
    if (steppedAt) await this.jobs.log(job.id, steppedAt, text);
    this.bus.emit('job', job.id);
  }
}
