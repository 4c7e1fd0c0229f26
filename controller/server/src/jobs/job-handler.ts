import type { ErrorBody } from '@espalier/proto';
import type { JobEntity } from './job.entity.js';
import type { JobKind, JobWork, PartEnd } from './worker-protocol.js';

/** What a kind of job means to the domain that queues it. Each method may run twice for one job: be idempotent. */
export interface JobHandler<K extends JobKind = JobKind> {
  /** The task for the worker; throws a coded error when it cannot be made any more. */
  prepare(job: JobEntity): Promise<JobWork[K]['task']>;
  /** Takes over what one part of the job made, or how it failed; the parts that follow go on. */
  part?(job: JobEntity, variantId: string, end: PartEnd, outDir: string): Promise<void>;
  /** Takes over what was made, before the job counts as SUCCEEDED. */
  succeeded(job: JobEntity, result: JobWork[K]['result'], outDir: string): Promise<void>;
  /** The job ended without a result: FAILED or CANCELED. */
  failed(job: JobEntity, error: ErrorBody): Promise<void>;
}
