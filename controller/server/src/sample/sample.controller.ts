import type { SampleView } from '@espalier/proto/api';
import { Controller, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal } from '../access/principal.js';
import { SampleService } from './sample.service.js';

@ApiTags('sample')
@Controller('api/v1/sample')
export class SampleController {
  constructor(
    private readonly sample: SampleService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  view(): SampleView {
    return this.sample.view();
  }

  /** Starts the journey; what becomes of it stands in the view. */
  @Post()
  async run(@CurrentUser() who: Principal): Promise<SampleView> {
    this.sample.run().catch(() => undefined);
    await this.audit.record(who.name, 'sample started', 'sample');
    return this.sample.view();
  }
}
