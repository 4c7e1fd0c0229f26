import type { ErrorBody } from '@espalier/proto';
import type { CurvePoint } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { JobEntity } from './job.entity.js';
import type { JobPart } from './job-part.js';
import type { Progress } from './worker-protocol.js';

/** Lines of a job's log that are kept. */
const LOG_MAX = 200;

/** The only SQL of the queue. Every change of a running job is conditional on its owner, so a lost lease writes nothing. */
@Injectable()
export class JobRepository {
  constructor(private readonly db: DataSource) {}

  async insert(job: JobEntity): Promise<void> {
    await this.db.getRepository(JobEntity).insert(job as object);
  }

  find(id: string): Promise<JobEntity | null> {
    return this.db.getRepository(JobEntity).findOneBy({ id });
  }

  async list(limit: number, offset: number): Promise<[JobEntity[], number]> {
    return this.db
      .getRepository(JobEntity)
      .findAndCount({ order: { createdAt: 'DESC', id: 'ASC' }, take: limit, skip: offset });
  }

  /** Open jobs of a model on a profile. */
  countOpen(modelId: string, profile: string): Promise<number> {
    return this.db
      .getRepository(JobEntity)
      .createQueryBuilder('job')
      .where(
        `job."modelId" = :modelId and job.state in ('QUEUED', 'RUNNING') and (job.profile = :profile or exists
           (select 1 from jsonb_array_elements(job.parts) part where part->>'profile' = :profile))`,
        { modelId, profile },
      )
      .getCount();
  }

  /** Takes the oldest queued job. `skip locked`: of several controllers each gets another one. */
  async claim(owner: string, now: Date, leaseMs: number): Promise<JobEntity | null> {
    return this.db.transaction(async (manager) => {
      const [row] = await manager.query<{ id: string }[]>(
        `select id from job where state = 'QUEUED' and not "cancelAsked" order by "createdAt" limit 1 for update skip locked`,
      );
      if (!row) return null;
      await manager.query(
        `update job set state = 'RUNNING', owner = $2, attempt = attempt + 1, "leaseUntil" = $3, progress = 0, curve = '[]',
           error = null, "endedAt" = null, "startedAt" = $4 where id = $1`,
        [row.id, owner, new Date(now.getTime() + leaseMs), now],
      );
      return manager.findOneBy(JobEntity, { id: row.id });
    });
  }

  /** Renews a lease. Null: the job is no longer this owner's. */
  async renew(id: string, owner: string, until: Date): Promise<{ cancelAsked: boolean } | null> {
    const repository = this.db.getRepository(JobEntity);
    const { affected } = await repository.update({ id, owner, state: 'RUNNING' }, { leaseUntil: until });
    if (affected !== 1) return null;
    return repository.findOne({ where: { id }, select: { cancelAsked: true } });
  }

  async parts(id: string, owner: string, parts: readonly JobPart[]): Promise<void> {
    const change = { parts } as object;
    await this.db.getRepository(JobEntity).update({ id, owner, state: 'RUNNING' }, change);
  }

  async progress(id: string, owner: string, progress: Progress, curve: CurvePoint[]): Promise<void> {
    const { step, stepIndex, steps, fraction } = progress;
    await this.db
      .getRepository(JobEntity)
      .update(
        { id, owner, state: 'RUNNING' },
        { step, stepIndex, steps, curve, progress: Math.min(1, Math.max(0, fraction)) },
      );
  }

  async log(id: string, at: Date, text: string): Promise<void> {
    await this.db.query(
      `update job set log = (select coalesce(jsonb_agg(line order by at), '[]'::jsonb) from
         (select line, at from jsonb_array_elements(log || $2::jsonb) with ordinality as lines(line, at)
          order by at desc limit ${LOG_MAX}) as kept) where id = $1`,
      [id, JSON.stringify([{ at: at.toISOString(), text }])],
    );
  }

  /** Ends a running job of this owner. False: it was no longer its. */
  async end(
    id: string,
    owner: string,
    state: 'SUCCEEDED' | 'FAILED' | 'CANCELED',
    now: Date,
    error: ErrorBody | null,
  ): Promise<boolean> {
    const done = state === 'SUCCEEDED' ? { progress: 1 } : {};
    const { affected } = await this.db.getRepository(JobEntity).update({ id, owner, state: 'RUNNING' }, {
      state,
      error,
      endedAt: now,
      owner: null,
      leaseUntil: null,
      ...done,
    } as object);
    return affected === 1;
  }

  async requeue(id: string, owner: string, countsAttempt: boolean): Promise<void> {
    await this.db.query(
      `update job set state = 'QUEUED', owner = null, "leaseUntil" = null, progress = 0, step = null,
         attempt = attempt - $3 where id = $1 and owner = $2 and state = 'RUNNING'`,
      [id, owner, countsAttempt ? 0 : 1],
    );
  }

  /** Puts back what was queued: canceled, or failed and tried again by a person. */
  async restart(id: string): Promise<boolean> {
    const [, affected] = await this.db.query<[unknown, number]>(
      `update job set state = 'QUEUED', attempt = 0, "cancelAsked" = false, error = null, progress = 0, step = null,
         "startedAt" = null, "endedAt" = null where id = $1 and state in ('FAILED', 'CANCELED')`,
      [id],
    );
    return affected === 1;
  }

  /** A queued job is canceled at once; a running one is asked. Returns what it was. */
  async cancel(id: string, now: Date): Promise<'queued' | 'running' | 'ended'> {
    const repository = this.db.getRepository(JobEntity);
    const queued = await repository.update(
      { id, state: 'QUEUED' },
      { state: 'CANCELED', endedAt: now, cancelAsked: true },
    );
    if (queued.affected === 1) return 'queued';
    const running = await repository.update({ id, state: 'RUNNING' }, { cancelAsked: true });
    return running.affected === 1 ? 'running' : 'ended';
  }

  /** Running jobs whose runner stopped renewing. */
  expired(now: Date): Promise<JobEntity[]> {
    return this.db
      .getRepository(JobEntity)
      .createQueryBuilder('job')
      .where(`job.state = 'RUNNING' and job."leaseUntil" < :now`, { now })
      .getMany();
  }

  /** Takes an expired job over for judging what becomes of it; only one controller succeeds. */
  async takeOver(id: string, owner: string, now: Date, leaseMs: number): Promise<boolean> {
    const [, affected] = await this.db.query<[unknown, number]>(
      `update job set owner = $2, "leaseUntil" = $4 where id = $1 and state = 'RUNNING' and "leaseUntil" < $3`,
      [id, owner, now, new Date(now.getTime() + leaseMs)],
    );
    return affected === 1;
  }

  /** Durations in seconds of the last finished jobs of the same kind of work. */
  async pastSeconds(profile: string | null, recipe: string | null): Promise<number[]> {
    const rows = await this.db.query<{ seconds: number }[]>(
      `select extract(epoch from ("endedAt" - "startedAt"))::float8 as seconds from job
       where state = 'SUCCEEDED' and profile is not distinct from $1 and recipe is not distinct from $2
       order by "endedAt" desc limit 20`,
      [profile, recipe],
    );
    return rows.map((row) => row.seconds);
  }
}
