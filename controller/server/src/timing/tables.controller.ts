import { ImportTable, MeasureTable, type TableView } from '@espalier/proto/api';
import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal } from '../access/principal.js';
import { ModelService } from '../models/model.service.js';
import { TableImporter } from './import/importer.js';
import { PlanHandler } from './plan-handler.js';
import { Tables } from './tables.js';

/** Latency tables of a model, one a profile. */
@ApiTags('models')
@Controller('api/v1/models/:id/tables')
export class TablesController {
  constructor(
    private readonly tables: Tables,
    private readonly plans: PlanHandler,
    private readonly importer: TableImporter,
    private readonly models: ModelService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  async list(@Param('id') id: string): Promise<TableView[]> {
    await this.models.get(id);
    return this.tables.views(id);
  }

  /** The networks are made in a job; then devices of the profile are asked. */
  @Post()
  @HttpCode(202)
  async measure(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: MeasureTable }) { profile }: z.infer<typeof MeasureTable>,
  ): Promise<TableView[]> {
    await this.models.get(id);
    if (!(await this.tables.underWay(id, profile))) await this.plans.planTable(id, profile, who.name);
    await this.audit.record(who.name, 'latency table asked for', id, { profile });
    return this.tables.views(id);
  }

  /** What a compiler or a roof says of the operators: it plans builds where nothing is measured, and decides no rollout. */
  @Post('import')
  async take(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: ImportTable }) body: ImportTable,
  ): Promise<TableView[]> {
    await this.importer.take(id, body, who.name);
    await this.audit.record(who.name, 'latency table imported', id, { profile: body.profile, format: body.format });
    return this.tables.views(id);
  }
}
