import { type JobView, ListQuery } from '@espalier/proto/api';
import { Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal } from '../access/principal.js';
import { VariantService } from '../variants/variant.service.js';
import { JobService } from './job.service.js';

@ApiTags('jobs')
@Controller('api/v1/jobs')
export class JobsController {
  constructor(
    private readonly jobs: JobService,
    private readonly variants: VariantService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  list(@Query({ schema: ListQuery }) { cursor, limit }: z.infer<typeof ListQuery>) {
    return this.jobs.list(limit, cursor);
  }

  @Get(':id')
  one(@Param('id') id: string): Promise<JobView> {
    return this.jobs.view(id);
  }

  @Post(':id/cancel')
  async cancel(@CurrentUser() who: Principal, @Param('id') id: string): Promise<JobView> {
    await this.variants.cancelJob(id);
    await this.audit.record(who.name, 'job canceled', id);
    return this.jobs.view(id);
  }

  @Post(':id/retry')
  async retry(@CurrentUser() who: Principal, @Param('id') id: string): Promise<JobView> {
    await this.variants.retryJob(id);
    await this.audit.record(who.name, 'job retried', id);
    return this.jobs.view(id);
  }
}
