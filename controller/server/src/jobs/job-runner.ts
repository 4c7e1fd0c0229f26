import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { errorBody } from '@espalier/proto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { JobCanceled, JobWorkerLost } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { Periodic } from '../common/periodic.js';
import { afterWorker } from './after-worker.js';
import type { JobEntity } from './job.entity.js';
import { JobRepository } from './job.repository.js';
import type { JobHandler } from './job-handler.js';
import { JobJournal } from './job-journal.js';
import { startedAgain } from './job-part.js';
import type { WorkerEnd } from './worker-process.js';
import { runWorker } from './worker-process.js';
import type { JobKind, PartEnd, TaskOf } from './worker-protocol.js';

const LEASE_MS = 20_000;
const RENEW_MS = 4000;
const POLL_MS = 1000;

interface Running {
  readonly job: JobEntity;
  readonly cancel: AbortController;
  cancelAsked: boolean;
  pid: number | null;
  done: Promise<void>;
}

/** Takes jobs from the queue and runs each in a worker process, one at a time by default. */
@Injectable()
export class JobRunner implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Two builds at once would falsify each other's latency proof. */
  static readonly CONCURRENCY = 1;

  readonly owner = randomUUID();
  readonly #logger = new Logger(JobRunner.name);
  readonly #running = new Map<string, Running>();
  readonly #handlers = new Map<string, JobHandler>();
  readonly #journal: JobJournal;
  readonly #poll = new Periodic(
    POLL_MS,
    () => this.#fill(),
    (error) => this.#logger.error(error),
  );
  #stopping = false;

  constructor(
    private readonly jobs: JobRepository,
    private readonly clock: Clock,
    private readonly bus: EventBus,
    private readonly events: DomainEvents,
  ) {
    this.#journal = new JobJournal(jobs, clock, bus, this.owner);
  }

  register<K extends JobKind>(kind: K, handler: JobHandler<K>): void {
    // A handler gets back only what came of its own kind of task.
    this.#handlers.set(kind, handler as unknown as JobHandler);
  }

  onApplicationBootstrap(): void {
    this.#poll.start();
  }

  /** Stops the workers and gives their jobs back to the queue without counting the attempt. */
  async onApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    await this.#poll.stop();
    for (const running of this.#running.values()) running.cancel.abort();
    await Promise.all([...this.#running.values()].map((running) => running.done));
  }

  wake(): void {
    this.#poll.wake();
  }

  /** Process ids of the workers under way, by job. */
  workers(): Map<string, number | null> {
    return new Map([...this.#running].map(([id, running]) => [id, running.pid]));
  }

  cancel(id: string): void {
    const running = this.#running.get(id);
    if (!running) return;
    running.cancelAsked = true;
    running.cancel.abort();
  }

  async #fill(): Promise<void> {
    await this.#judgeExpired();
    while (!this.#stopping && this.#running.size < JobRunner.CONCURRENCY) {
      const job = await this.jobs.claim(this.owner, this.clock.now(), LEASE_MS);
      if (!job) return;
      const running: Running = {
        job,
        cancel: new AbortController(),
        cancelAsked: false,
        pid: null,
        done: Promise.resolve(),
      };
      this.#running.set(job.id, running);
      running.done = this.#run(running)
        .catch((error) => this.#logger.error(error))
        .finally(() => {
          this.#running.delete(job.id);
          this.wake();
        });
    }
  }

  /** Jobs whose controller was killed: their workers ended with it, so they are judged as lost. */
  async #judgeExpired(): Promise<void> {
    for (const job of await this.jobs.expired(this.clock.now())) {
      if (this.#running.has(job.id)) continue;
      if (!(await this.jobs.takeOver(job.id, this.owner, this.clock.now(), LEASE_MS))) continue;
      await this.#end(job, { kind: 'lost', reason: 'the controller that ran it is gone' }, job.cancelAsked, '');
    }
  }

  async #run(running: Running): Promise<void> {
    const { job } = running;
    await this.jobs.log(job.id, this.clock.now(), `attempt ${job.attempt} starts`);
    this.bus.emit('job', job.id);
    const renew = setInterval(() => void this.#renew(running), RENEW_MS);
    let end: WorkerEnd<JobKind>;
    let outDir = '';
    try {
      const task = await this.#handlerOf(job).prepare(job);
      outDir = task.outDir;
      const onProgress = this.#journal.progressOf(job);
      const onStart = (pid: number): void => {
        running.pid = pid;
      };
      const onPart = (variantId: string, part: PartEnd) => this.#takePart(job, variantId, part, outDir);
      job.parts = startedAgain(job.parts);
      end = await runWorker<JobKind>({
        work: { kind: job.kind, task } as TaskOf<JobKind>,
        onProgress,
        onPart,
        onStart,
        signal: running.cancel.signal,
      });
      if (end.kind === 'done') await this.#handlerOf(job).succeeded(job, end.result, outDir);
    } catch (error) {
      end = { kind: 'failed', error: errorBody(error) };
    } finally {
      clearInterval(renew);
    }
    await this.#end(job, end, running.cancelAsked, outDir);
  }

  /** Stores what one part made. Idempotent: a part that is ready is not built again. */
  async #takePart(job: JobEntity, variantId: string, end: PartEnd, outDir: string): Promise<void> {
    await this.#handlerOf(job).part?.(job, variantId, end, outDir);
    await this.#journal.partEnded(job, variantId, end);
  }

  async #renew(running: Running): Promise<void> {
    try {
      const until = new Date(this.clock.now().getTime() + LEASE_MS);
      const row = await this.jobs.renew(running.job.id, this.owner, until);
      if (row?.cancelAsked) running.cancelAsked = true;
      if (!row || row.cancelAsked) running.cancel.abort();
    } catch (error) {
      this.#logger.warn(`lease of job ${running.job.id} not renewed: ${errorBody(error).message}`);
    }
  }

  async #end(job: JobEntity, end: WorkerEnd, cancelAsked: boolean, outDir: string): Promise<void> {
    const now = this.clock.now();
    const lost = (reason: string) => errorBody(JobWorkerLost({ title: job.title, reason }));
    const next = afterWorker(end, { attempt: job.attempt, cancelAsked, shuttingDown: this.#stopping }, lost);
    if (next.kind === 'succeed') {
      await this.jobs.log(job.id, now, 'finished');
      await this.jobs.end(job.id, this.owner, 'SUCCEEDED', now, null);
    } else if (next.kind === 'requeue') {
      await this.jobs.log(job.id, now, `back to the queue: ${next.reason}`);
      await this.jobs.requeue(job.id, this.owner, next.countsAttempt);
    } else {
      const error = next.kind === 'fail' ? next.error : errorBody(JobCanceled({ title: job.title }));
      await this.jobs.log(job.id, now, `${error.code}: ${error.message}`);
      // What was to be built comes first: a controller that is killed between the two judges the job once more.
      const isOurs = await this.jobs.renew(job.id, this.owner, new Date(now.getTime() + LEASE_MS));
      if (isOurs) await this.#handlerOf(job).failed(job, error);
      await this.jobs.end(job.id, this.owner, next.kind === 'fail' ? 'FAILED' : 'CANCELED', now, error);
    }
    if (outDir && next.kind !== 'requeue') await rm(outDir, { recursive: true, force: true });
    this.bus.emit('job', job.id);
    this.events.emit('job', { jobId: job.id });
  }

  #handlerOf(job: JobEntity): JobHandler {
    const handler = this.#handlers.get(job.kind);
    if (!handler) throw new Error(`no handler for jobs of kind ${job.kind}`);
    return handler;
  }
}
