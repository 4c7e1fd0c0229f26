import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { VariantNotReady } from '../common/errors.js';
import { VariantService } from './variant.service.js';
import { VariantViews } from './variant.view.js';

const OfModel = z.object({ modelId: z.string().optional() });

@ApiTags('variants')
@Controller('api/v1/variants')
export class VariantsController {
  constructor(
    private readonly variants: VariantService,
    private readonly views: VariantViews,
    private readonly store: ArtifactStore,
  ) {}

  @Get()
  list(@Query({ schema: OfModel }) { modelId }: z.infer<typeof OfModel>) {
    return this.views.list(modelId);
  }

  @Get(':id')
  one(@Param('id') id: string) {
    return this.views.one(id);
  }

  /** The model file of the artifact. */
  @Get(':id/artifact')
  async artifact(@Param('id') id: string, @Res() response: Response): Promise<void> {
    const variant = await this.variants.get(id);
    const file = variant.files.find(({ path }) => path === variant.parts?.entry);
    if (!file) throw VariantNotReady({ id, state: variant.state });
    const { stream, totalBytes } = await this.store.open(file.sha256);
    response.setHeader('content-length', totalBytes);
    response.setHeader('content-disposition', `attachment; filename="${id}.onnx"`);
    response.type('application/octet-stream');
    stream.pipe(response);
  }
}
