import type { ExecutionView, GroupView, Page, RolloutRow, RolloutView } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import type { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { VariantRepository } from '../variants/variant.repository.js';
import { countGroup } from './gates.js';
import { abortDistances } from './next-tick.js';
import { readTickInput } from './read-tick-input.js';
import type { ExecutionEntity, GroupEntity, RolloutEntity } from './rollout.entity.js';
import { RolloutRepository } from './rollout.repository.js';
import { RolloutService } from './rollout.service.js';
import type { TickExecution } from './rollout.types.js';
import { ROLLOUT_LIMITS, RolloutTicker } from './rollout-ticker.js';

/** Read model of the rollout pages. */
@Injectable()
export class RolloutViews {
  constructor(
    private readonly rollouts: RolloutRepository,
    private readonly service: RolloutService,
    private readonly ticker: RolloutTicker,
    private readonly models: ModelService,
    private readonly variants: VariantRepository,
  ) {}

  async page(limit: number, cursor: string | undefined): Promise<Page<RolloutRow>> {
    const offset = Number(cursor ?? 0) || 0;
    const [rows, total] = await this.rollouts.list(limit, offset);
    const ids = rows.map(({ id }) => id);
    const groups = ids.length > 0 ? await this.rollouts.groups(ids) : [];
    const executions = ids.length > 0 ? await this.rollouts.executions(ids) : [];
    const models = new Map((await this.models.list()).map((model) => [model.id, model]));
    const items = rows.map((rollout) =>
      toRow(
        rollout,
        models.get(rollout.modelId),
        groups.filter((one) => one.rolloutId === rollout.id),
        executions.filter((one) => one.rolloutId === rollout.id),
      ),
    );
    return { items, total, next: offset + rows.length < total ? String(offset + rows.length) : null };
  }

  /** @throws ESP_NOT_FOUND */
  async one(id: string): Promise<RolloutView> {
    const rollout = await this.service.get(id);
    const rows = await this.ticker.read(rollout);
    const { groups, executions } = rows;
    const models = new Map((await this.models.list()).map((model) => [model.id, model]));
    const tick = readTickInput(rows, ROLLOUT_LIMITS).executions;
    const current = groups.find(({ state }) => state !== 'FINISHED') ?? groups.at(-1);
    const inCurrent = tick.filter(({ group }) => group === current?.index);
    return {
      ...toRow(rollout, models.get(rollout.modelId), groups, executions),
      groupViews: groups.map((group) => toGroup(group, tick)),
      abort: abortDistances(countGroup(inCurrent, current?.total ?? null)),
      executions: executions.map(toExecution),
      variants: await this.#variants(executions),
      history: rollout.history,
      decisionId: rollout.decisionId,
    };
  }

  async #variants(executions: readonly ExecutionEntity[]): Promise<RolloutView['variants']> {
    const byVariant = Map.groupBy(
      executions.filter(({ variantId, direction }) => variantId && direction === 'out'),
      ({ variantId }) => variantId!,
    );
    const variants = await this.variants.findMany([...byVariant.keys()]);
    return variants.map(({ id, profile, method }) => ({
      variantId: id,
      profile,
      method,
      devices: byVariant.get(id)!.length,
    }));
  }
}

function toRow(
  rollout: RolloutEntity,
  model: ModelEntity | undefined,
  groups: readonly GroupEntity[],
  executions: readonly ExecutionEntity[],
): RolloutRow {
  const out = executions.filter(({ direction }) => direction === 'out');
  const count = (...states: string[]): number => out.filter(({ state }) => states.includes(state)).length;
  const { id, name, modelId, state, reason, createdBy } = rollout;
  return {
    ...{
      id,
      name,
      modelId,
      state,
      reason,
      createdBy,
      model: model?.name ?? 'removed',
      modelVersion: model?.version ?? '',
    },
    ...{
      total: out.length,
      succeeded: count('SUCCEEDED'),
      failed: count('FAILED', 'TIMED_OUT', 'REJECTED'),
      inFlight: count('IN_PROGRESS'),
    },
    currentGroup: groups.find((group) => group.state !== 'FINISHED')?.index ?? null,
    groups: groups.length,
    createdAt: rollout.createdAt.toISOString(),
    endedAt: rollout.endedAt?.toISOString() ?? null,
  };
}

function toGroup(group: GroupEntity, executions: readonly TickExecution[]): GroupView {
  const members = executions.filter((one) => one.group === group.index);
  const { total, succeeded, failed, timedOut, rejected, inFlight, queued, skipped } = countGroup(members, group.total);
  return {
    ...{ index: group.index, name: group.plan.name, state: group.state, plan: group.plan, gates: group.gates },
    ...{ total, succeeded, failed: failed + timedOut + rejected, inFlight, queued, skipped },
    soakUntil: group.soakUntil?.toISOString() ?? null,
  };
}

const toExecution = (execution: ExecutionEntity): ExecutionView => {
  const { id, rolloutId, deviceId, deviceName, group, state, step, progress, variantId, error } = execution;
  return {
    ...{ id, rolloutId, deviceId, deviceName, group, state, step, progress, variantId, error },
    updatedAt: execution.updatedAt.toISOString(),
  };
};
