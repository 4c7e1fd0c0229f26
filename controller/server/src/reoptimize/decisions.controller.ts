import { type DecisionView, ListQuery, type Page } from '@espalier/proto/api';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ModelService } from '../models/model.service.js';
import { DecisionRepository } from './decision.repository.js';

const DecisionQuery = ListQuery.extend({ modelId: z.string().optional() });

/** The story of the closed loop, newest first. */
@ApiTags('decisions')
@Controller('api/v1/decisions')
export class DecisionsController {
  constructor(
    private readonly decisions: DecisionRepository,
    private readonly models: ModelService,
  ) {}

  @Get()
  async list(@Query({ schema: DecisionQuery }) query: z.infer<typeof DecisionQuery>): Promise<Page<DecisionView>> {
    const offset = Number(query.cursor ?? 0) || 0;
    const [rows, total] = await this.decisions.page(query.modelId, query.limit, offset);
    const models = new Map((await this.models.list()).map((model) => [model.id, `${model.name} ${model.version}`]));
    const items = rows.map((row) => ({
      ...row,
      model: models.get(row.modelId) ?? 'removed',
      at: row.at.toISOString(),
    }));
    return { items, total, next: offset + rows.length < total ? String(offset + rows.length) : null };
  }
}
