import { CreateRollout, ListQuery, RolloutCommand, type RolloutView } from '@espalier/proto/api';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { AuditService } from '../access/audit.service.js';
import { CurrentUser, type Principal } from '../access/principal.js';
import { RolloutService } from './rollout.service.js';
import { RolloutViews } from './rollout.view.js';

type Command = z.infer<typeof RolloutCommand>;

@ApiTags('rollouts')
@Controller('api/v1/rollouts')
export class RolloutsController {
  constructor(
    private readonly rollouts: RolloutService,
    private readonly views: RolloutViews,
    private readonly audit: AuditService,
  ) {}

  @Get()
  list(@Query({ schema: ListQuery }) { cursor, limit }: z.infer<typeof ListQuery>) {
    return this.views.page(limit, cursor);
  }

  @Get(':id')
  one(@Param('id') id: string) {
    return this.views.one(id);
  }

  @Post()
  async create(
    @CurrentUser() who: Principal,
    @Body({ schema: CreateRollout }) body: CreateRollout,
  ): Promise<RolloutView> {
    const id = await this.rollouts.create({ ...body, createdBy: who.name });
    return this.#done(who, 'rollout created', id);
  }

  @Post(':id/pause')
  async pause(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: RolloutCommand.optional() }) body?: Command,
  ): Promise<RolloutView> {
    await this.rollouts.pause(id, who.name, body?.reason);
    return this.#done(who, 'rollout paused', id, body);
  }

  @Post(':id/resume')
  async resume(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: RolloutCommand.optional() }) body?: Command,
  ): Promise<RolloutView> {
    await this.rollouts.resume(id, who.name, body?.reason);
    return this.#done(who, 'rollout resumed', id, body);
  }

  @Post(':id/stop')
  async stop(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: RolloutCommand.optional() }) body?: Command,
  ): Promise<RolloutView> {
    await this.rollouts.stop(id, who.name, body?.reason);
    return this.#done(who, 'rollout stopped', id, body);
  }

  @Post(':id/rollback')
  async rollback(
    @CurrentUser() who: Principal,
    @Param('id') id: string,
    @Body({ schema: RolloutCommand.optional() }) body?: Command,
  ): Promise<RolloutView> {
    await this.rollouts.rollback(id, who.name, body?.reason);
    return this.#done(who, 'rollout rolled back', id, body);
  }

  async #done(who: Principal, action: string, id: string, details?: Command): Promise<RolloutView> {
    await this.audit.record(who.name, action, id, details ?? {});
    return this.views.one(id);
  }
}
