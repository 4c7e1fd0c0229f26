import {
  type DatasetRow,
  FieldSampleQuery,
  type FieldSampleRow,
  type FieldSampleValues,
  LabelFieldSample,
  MakeFieldDataset,
  type Page,
  SamplingPolicy,
  type SamplingView,
} from '@espalier/proto/api';
import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  Query,
  StreamableFile,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal, Roles } from '../access/principal.js';
import { NotFound } from '../common/errors.js';
import { toDatasetRow } from '../datasets/datasets.controller.js';
import { ModelService } from '../models/model.service.js';
import { FieldRepository } from './field.repository.js';
import { FieldViews } from './field.view.js';
import { FieldDatasets } from './field-datasets.js';
import { FieldSamples } from './field-samples.js';
import { pixelsOf, toPng } from './picture.js';
import { SamplingPolicies } from './sampling-policies.js';

/** What people send to a model may show persons: only operators see it, and only admins decide that it is kept. */
@ApiTags('field samples')
@Controller('api/v1')
export class FieldController {
  constructor(
    private readonly policies: SamplingPolicies,
    private readonly samples: FieldSamples,
    private readonly datasets: FieldDatasets,
    private readonly views: FieldViews,
    private readonly field: FieldRepository,
    private readonly models: ModelService,
    private readonly audit: AuditService,
  ) {}

  @Get('models/:id/sampling')
  sampling(@Param('id') id: string): Promise<SamplingView> {
    return this.policies.view(id);
  }

  /** What devices may keep of this model's inputs. Switching it off makes them delete what they hold. */
  @Roles('admin')
  @Put('models/:id/sampling')
  async setSampling(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: SamplingPolicy }) policy: SamplingPolicy,
  ): Promise<SamplingView> {
    const view = await this.policies.set(id, policy, who.name);
    await this.audit.record(who.name, policy.enabled ? 'sampling switched on' : 'sampling switched off', id, {
      ...policy,
    });
    return view;
  }

  @Roles('operator')
  @Get('models/:id/field-samples')
  async page(
    @Param('id') id: string,
    @Query({ schema: FieldSampleQuery }) query: z.infer<typeof FieldSampleQuery>,
  ): Promise<Page<FieldSampleRow>> {
    return this.views.page(await this.models.get(id), query);
  }

  /** Every sample of the model on the controller, and the data sets made of them. */
  @Roles('admin')
  @Delete('models/:id/field-samples')
  async removeAll(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
  ): Promise<{ samples: number; datasets: number }> {
    await this.models.get(id);
    const gone = await this.samples.removeAll(id);
    await this.audit.record(who.name, 'field samples deleted', id, gone);
    return gone;
  }

  /** The labelled samples as a data set that appends them to the model's evaluation data. It is a copy in plain files. */
  @Post('models/:id/field-samples/dataset')
  async makeDataset(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: MakeFieldDataset }) { name }: z.infer<typeof MakeFieldDataset>,
  ): Promise<DatasetRow> {
    const labelled = await this.field.ofModel(id, 'labelled');
    const samples = labelled.map((one) => ({ label: one.label!, open: () => this.samples.open(one) }));
    const dataset = await this.datasets.make(id, samples, name);
    const { fieldSamples } = dataset;
    await this.audit.record(who.name, 'data set made of field samples', dataset.id, { model: id, fieldSamples });
    return toDatasetRow(dataset);
  }

  /** PNG. */
  @Roles('operator')
  @Get('field-samples/:id/picture')
  @Header('cache-control', 'private, no-store')
  async picture(@Param('id') id: string): Promise<StreamableFile> {
    const sample = await this.samples.get(id);
    const { preprocess } = await this.models.get(sample.modelId);
    const { values } = await this.samples.open(sample);
    const pixels = preprocess && pixelsOf(values, sample.input, preprocess);
    if (!pixels) throw NotFound({ what: 'picture of field sample', id });
    return new StreamableFile(await toPng(pixels), { type: 'image/png' });
  }

  @Roles('operator')
  @Get('field-samples/:id/values')
  async values(@Param('id') id: string): Promise<FieldSampleValues> {
    const sample = await this.samples.get(id);
    return this.views.values(await this.samples.open(sample));
  }

  /** A class, or that nobody can tell; or neither, which opens it again. */
  @Put('field-samples/:id/label')
  async label(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: LabelFieldSample }) { label, usable }: LabelFieldSample,
  ): Promise<FieldSampleRow> {
    const sample = await this.samples.label(id, label, usable, who.name);
    await this.audit.record(who.name, 'field sample labelled', id, { model: sample.modelId, label, usable });
    return this.views.row(sample, await this.models.get(sample.modelId));
  }

  @Delete('field-samples/:id')
  @HttpCode(204)
  async remove(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    const { modelId } = await this.samples.remove(id);
    await this.audit.record(who.name, 'field sample deleted', id, { model: modelId });
  }
}
