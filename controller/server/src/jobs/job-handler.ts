import type { ErrorBody } from '@espalier/proto';
import type { JobEntity } from './job.entity.js';
import type { Work, WorkKind } from './worker-protocol.js';

/** What a kind of job means to the domain that queues it. Each method may run twice for one job: be idempotent. */
export interface JobHandler<K extends WorkKind = WorkKind> {
  /** The task for the worker; throws a coded error when it cannot be made any more. */
  prepare(job: JobEntity): Promise<Work[K]['task']>;
  /** Takes over what was made, before the job counts as SUCCEEDED. */
  succeeded(job: JobEntity, result: Work[K]['result'], outDir: string): Promise<void>;
  /** The job ended without a result: FAILED or CANCELED. */
  failed(job: JobEntity, error: ErrorBody): Promise<void>;
}
