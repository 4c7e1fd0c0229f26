import { type DecisionView, ListQuery, type OutlookView, type Page } from '@espalier/proto/api';
import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal } from '../access/principal.js';
import { DecisionNotOpen, NotFound } from '../common/errors.js';
import { ModelService } from '../models/model.service.js';
import type { DecisionEntity } from './decision.entity.js';
import { DecisionRepository } from './decision.repository.js';
import { DecisionLog } from './decision-log.js';
import { LoopService } from './loop.service.js';

const DecisionQuery = ListQuery.extend({ modelId: z.string().optional() });
const OutlookQuery = z.object({ modelId: z.string().optional() });

/** The story of the closed loop, newest first, and a person's word in it. */
@ApiTags('decisions')
@Controller('api/v1/decisions')
export class DecisionsController {
  constructor(
    private readonly decisions: DecisionRepository,
    private readonly log: DecisionLog,
    private readonly loop: LoopService,
    private readonly models: ModelService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  async list(@Query({ schema: DecisionQuery }) query: z.infer<typeof DecisionQuery>): Promise<Page<DecisionView>> {
    const offset = Number(query.cursor ?? 0) || 0;
    const [rows, total] = await this.decisions.page(query.modelId, query.limit, offset);
    const models = new Map((await this.models.list()).map((model) => [model.id, `${model.name} ${model.version}`]));
    const items = rows.map((row) => ({
      ...row,
      ...{ model: models.get(row.modelId) ?? 'removed', at: row.at.toISOString(), skipped: [...row.skipped] },
    }));
    return { items, total, next: offset + rows.length < total ? String(offset + rows.length) : null };
  }

  /** What the loop would do now for each model and profile, or what it waits for. */
  @Get('now')
  now(@Query({ schema: OutlookQuery }) { modelId }: z.infer<typeof OutlookQuery>): Promise<OutlookView[]> {
    return this.loop.outlook(modelId);
  }

  @Post(':id/approve')
  @HttpCode(204)
  approve(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    return this.#answer(who, id, 'approved');
  }

  @Post(':id/decline')
  @HttpCode(204)
  decline(@CurrentUser() who: Principal, @Param('id') id: string): Promise<void> {
    return this.#answer(who, id, 'declined');
  }

  async #answer(who: Principal, id: string, action: 'approved' | 'declined'): Promise<void> {
    const asked = await this.decisions.find(id);
    if (!asked) throw NotFound({ what: 'decision', id });
    if (asked.action !== 'ask' || (await this.#isAnswered(asked))) throw DecisionNotOpen({ id, action: asked.action });
    const { modelId, profile, recipe, variantId, trigger, numbers } = asked;
    const reason = `${action} by ${who.name}`;
    await this.log.add({ modelId, profile, recipe, variantId, trigger, numbers, action, reason });
    await this.audit.record(who.name, `closed loop ${action}`, id, { modelId, profile });
    this.loop.wake();
  }

  async #isAnswered({ modelId, profile, variantId, at }: DecisionEntity): Promise<boolean> {
    const since = await this.decisions.of(modelId, profile, at);
    return since.some((one) => one.variantId === variantId && ['approved', 'declined'].includes(one.action));
  }
}
