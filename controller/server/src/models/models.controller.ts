import {
  type JobView,
  LoopSwitch,
  type ModelView,
  OptimizeModel,
  type PruningGroups,
  UpdateModel,
  UploadModelQuery,
} from '@espalier/proto/api';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import type { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal } from '../access/principal.js';
import { Config } from '../common/config.js';
import { FieldSamples } from '../field/field-samples.js';
import { JobService } from '../jobs/job.service.js';
import { LoopSwitches } from '../reoptimize/loop-switches.js';
import { findProfile } from '../variants/build-handler.js';
import { VariantService } from '../variants/variant.service.js';
import { ModelService } from './model.service.js';
import { ModelViews } from './model.view.js';
import { ModelGroups } from './model-groups.js';
import { withUpload } from './upload.js';

@ApiTags('models')
@Controller('api/v1/models')
export class ModelsController {
  constructor(
    private readonly models: ModelService,
    private readonly views: ModelViews,
    private readonly groups: ModelGroups,
    private readonly variants: VariantService,
    private readonly jobs: JobService,
    private readonly switches: LoopSwitches,
    private readonly samples: FieldSamples,
    private readonly audit: AuditService,
    private readonly config: Config,
  ) {}

  @Get()
  list() {
    return this.views.list();
  }

  /** The ONNX file as the body. */
  @Post()
  @ApiConsumes('application/octet-stream')
  @ApiBody({ schema: { type: 'string', format: 'binary' } })
  async upload(
    @CurrentUser() who: Principal,
    @Query({ schema: UploadModelQuery }) query: z.infer<typeof UploadModelQuery>,
    @Req() request: Request,
  ): Promise<ModelView> {
    const { uploadLimitBytes } = this.config;
    const model = await withUpload(request, this.config.under('uploads'), uploadLimitBytes, (file) =>
      this.models.register(file, query),
    );
    await this.audit.record(who.name, 'model registered', model.id, { name: model.name, version: model.version });
    return this.views.one(model.id);
  }

  @Get(':id')
  one(@Param('id') id: string) {
    return this.views.one(id);
  }

  /** Which channels can be removed together, and which must stay, with the reason. */
  @Get(':id/groups')
  groupsOf(@Param('id') id: string): Promise<PruningGroups> {
    return this.groups.of(id);
  }

  @Patch(':id')
  async update(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: UpdateModel }) body: UpdateModel,
  ): Promise<ModelView> {
    await this.models.update(id, body);
    await this.audit.record(who.name, 'model changed', id, { ...body });
    return this.views.one(id);
  }

  /** Stops the closed loop for one profile of the model, or lets it go on; what is under way goes on. */
  @Put(':id/loop/:profile')
  async setLoop(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Param('profile') profile: string,
    @Body({ schema: LoopSwitch }) { automatic }: LoopSwitch,
  ): Promise<ModelView> {
    await this.models.get(id);
    await findProfile(profile);
    await this.switches.set(id, profile, automatic, who.name);
    await this.audit.record(who.name, automatic ? 'closed loop on' : 'closed loop off', id, { profile });
    return this.views.one(id);
  }

  @Delete(':id')
  @HttpCode(204)
  async remove(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    await this.models.remove(id);
    await this.samples.removeAll(id);
    await this.audit.record(who.name, 'model removed', id);
  }

  /** Queues one job with a build for each profile and recipe; answers it, and jobs that make some of them already. */
  @Post(':id/optimize')
  async optimize(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: OptimizeModel }) body: z.infer<typeof OptimizeModel>,
  ): Promise<JobView[]> {
    const variants = await this.variants.optimize(id, { ...body, requestedBy: who.name });
    await this.audit.record(who.name, 'builds queued', id, { profiles: body.profiles, recipes: body.recipes });
    const jobs: JobView[] = [];
    for (const jobId of new Set(variants.map((variant) => variant.jobId)))
      if (jobId) jobs.push(await this.jobs.view(jobId));
    return jobs;
  }
}
