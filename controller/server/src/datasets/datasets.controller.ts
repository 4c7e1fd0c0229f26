import { type DatasetRow, RegisterDataset, UploadDatasetQuery } from '@espalier/proto/api';
import { Body, Controller, Get, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import type { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal, Roles } from '../access/principal.js';
import { Config } from '../common/config.js';
import { withUpload } from '../models/upload.js';
import type { DatasetEntity } from './dataset.entity.js';
import { DatasetService } from './dataset.service.js';

export function toDatasetRow({ fieldOf: _model, baseId: _base, ...dataset }: DatasetEntity): DatasetRow {
  return { ...dataset, createdAt: dataset.createdAt.toISOString() };
}

@ApiTags('datasets')
@Controller('api/v1/datasets')
export class DatasetsController {
  constructor(
    private readonly datasets: DatasetService,
    private readonly audit: AuditService,
    private readonly config: Config,
  ) {}

  @Get()
  async list(): Promise<DatasetRow[]> {
    return (await this.datasets.list()).map(toDatasetRow);
  }

  /** A SPEC names files on the controller's machine, so only admins may give one. */
  @Roles('admin')
  @Post()
  async register(
    @CurrentUser() who: Principal,
    @Body({ schema: RegisterDataset }) body: z.infer<typeof RegisterDataset>,
  ): Promise<DatasetRow> {
    const dataset = await this.datasets.register(body.name, body.calibrate, body.evaluate);
    await this.audit.record(who.name, 'data set registered', dataset.id, { name: dataset.name });
    return toDatasetRow(dataset);
  }

  /** A .zip or .tar.gz as the body: images with a labels.csv, or an idx pair. */
  @Post('upload')
  @ApiConsumes('application/octet-stream')
  @ApiBody({ schema: { type: 'string', format: 'binary' } })
  async upload(
    @CurrentUser() who: Principal,
    @Query({ schema: UploadDatasetQuery }) query: z.infer<typeof UploadDatasetQuery>,
    @Req() request: Request,
  ): Promise<DatasetRow> {
    const { uploadLimitBytes } = this.config;
    const dataset = await withUpload(request, this.config.under('uploads'), uploadLimitBytes, (file, bytes) =>
      this.datasets.upload(query.name, file, bytes),
    );
    await this.audit.record(who.name, 'data set uploaded', dataset.id, { name: dataset.name });
    return toDatasetRow(dataset);
  }
}
