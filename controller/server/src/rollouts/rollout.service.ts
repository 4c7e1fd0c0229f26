import { errorBody } from '@espalier/proto';
import type { CreateRollout } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { ExecutionStopped, NotFound, NothingToRollOut, RolloutState } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { newId } from '../common/ids.js';
import { DeviceService } from '../devices/device.service.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { summarizeFleet } from '../devices/summarize.js';
import type { ModelEntity } from '../models/model.entity.js';
import { ModelService } from '../models/model.service.js';
import { chooseVariant } from '../variants/choose-variant.js';
import type { VariantEntity } from '../variants/variant.entity.js';
import { VariantService } from '../variants/variant.service.js';
import { type Planned, planRollout } from './plan-rollout.js';
import { RollbackService } from './rollback.service.js';
import type { GroupEntity, RolloutEntity } from './rollout.entity.js';
import { RolloutRepository } from './rollout.repository.js';
import { RolloutTicker } from './rollout-ticker.js';

/** A request, and who makes it. `deviceIds` narrows the filter: the closed loop asks for the devices it measured. */
export interface NewRollout extends CreateRollout {
  readonly createdBy: string;
  readonly deviceIds?: readonly string[];
  readonly decisionId?: string;
  /** Known before it is there, for one who notes first what it does. */
  readonly id?: string;
}

/** Makes rollouts and takes people's commands; the ticker moves them on. */
@Injectable()
export class RolloutService {
  constructor(
    private readonly rollouts: RolloutRepository,
    private readonly models: ModelService,
    private readonly variants: VariantService,
    private readonly devices: DeviceService,
    private readonly measurements: MeasurementService,
    private readonly rollbacks: RollbackService,
    private readonly ticker: RolloutTicker,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {}

  async create(request: NewRollout): Promise<string> {
    const model = await this.models.get(request.modelId);
    const chosen = await this.#choose(model, request.variantIds);
    const { deviceIds } = request;
    const matching = await this.devices.find(request.filter);
    const devices = deviceIds ? matching.filter((device) => deviceIds.includes(device.id)) : matching;
    const id = request.id ?? newId('rol');
    const now = this.clock.now();
    const planned = planRollout(id, model.name, devices, chosen, request.groups, now);
    const rollout = newRollout(id, model, request, planned, devices.length, now);
    const groups = request.groups.map((plan, index) => newGroup(id, plan, index));
    const executions = planned.executions.map((execution) => ({ ...execution, id: newId('exe', 12) }));
    await this.rollouts.create(rollout, groups, executions);
    this.#changed(id);
    return id;
  }

  /** Stops new dispatch; what is in progress goes on. */
  async pause(id: string, who: string, reason?: string): Promise<void> {
    await this.#command(id, 'pause', ['RUNNING', 'STARTING'], { state: 'PAUSED', reason: said('paused', who, reason) });
  }

  /** Starts a READY rollout, or goes on with a paused one: what failed is tried again, and gates start afresh. */
  async resume(id: string, who: string, reason?: string): Promise<void> {
    const rollout = await this.get(id);
    if (rollout.state === 'PAUSED') await this.rollbacks.retryFailed(rollout);
    const change = { state: 'RUNNING' as const, reason: said('resumed', who, reason) };
    await this.#command(id, 'resume', ['PAUSED', 'READY'], change);
  }

  /** Offers it to nobody else. Devices that switched keep it. */
  async stop(id: string, who: string, reason?: string): Promise<void> {
    const text = said('stopped', who, reason);
    await this.#command(id, 'stop', ['RUNNING', 'PAUSED', 'READY', 'STARTING'], { state: 'STOPPING', reason: text });
    await this.rollouts.cancelQueued(id, errorBody(ExecutionStopped({ reason: text })), this.clock.now());
    this.#changed(id);
  }

  /** Brings devices back to what they served before, also after it finished. */
  async rollback(id: string, who: string, reason?: string): Promise<void> {
    const text = said('rolled back', who, reason);
    const from = ['RUNNING', 'PAUSED', 'STOPPING', 'STOPPED', 'FINISHED'] as const;
    await this.#command(id, 'roll back', from, { state: 'ROLLING_BACK', reason: text, endedAt: null });
    await this.rollbacks.begin(await this.get(id), text);
    this.#changed(id);
  }

  find(id: string): Promise<RolloutEntity | null> {
    return this.rollouts.find(id);
  }

  async get(id: string): Promise<RolloutEntity> {
    const rollout = await this.rollouts.find(id);
    if (!rollout) throw NotFound({ what: 'rollout', id });
    return rollout;
  }

  async #command(
    id: string,
    command: string,
    from: readonly RolloutEntity['state'][],
    change: Partial<RolloutEntity>,
  ): Promise<void> {
    const rollout = await this.get(id);
    if (!(await this.rollouts.move(id, from, change))) throw RolloutState({ command, state: rollout.state });
    await this.rollouts.note(id, this.clock.now(), change.reason ?? command);
    this.#changed(id);
  }

  #changed(id: string): void {
    this.bus.emit('rollout', id);
    this.ticker.wake();
  }

  /** The variant of each profile: the named ones, else the best ready one. */
  async #choose(model: ModelEntity, named: readonly string[]): Promise<Map<string, VariantEntity>> {
    const all = (await this.variants.list(model.id)).filter((variant) => variant.state === 'ready');
    const ready = named.length > 0 ? all.filter((variant) => named.includes(variant.id)) : all;
    const missing = named.find((id) => !ready.some((variant) => variant.id === id));
    if (missing) throw NotFound({ what: 'ready variant of this model', id: missing });
    if (ready.length === 0) throw NothingToRollOut({ model: `${model.name} ${model.version}` });
    const chosen = new Map<string, VariantEntity>();
    for (const [profile, variants] of Map.groupBy(ready, (variant) => variant.profile)) {
      const candidates = [];
      for (const variant of variants) candidates.push(await this.#candidate(variant));
      chosen.set(profile, chooseVariant(candidates, model.budget)!.variant);
    }
    return chosen;
  }

  async #candidate(variant: VariantEntity) {
    const { id, profile, report, digest, createdAt } = variant;
    const measured = digest ? summarizeFleet(await this.measurements.summary({ digest, profile })) : null;
    return { id, profile, report, variant, measuredP50Us: measured?.p50Us ?? null, createdAtMs: createdAt.getTime() };
  }
}

const said = (what: string, who: string, reason: string | undefined): string =>
  `${what} by ${who}${reason ? `: ${reason}` : ''}`;

const newGroup = (rolloutId: string, plan: GroupEntity['plan'], index: number): GroupEntity => ({
  ...{ rolloutId, index, plan, state: 'READY', total: null },
  ...{ startedAt: null, soakUntil: null, blockedSince: null, gates: [] },
});

/** A rollout that owes nobody anything ends at once, and its reason says which kind of nothing it was. */
function newRollout(
  id: string,
  model: ModelEntity,
  request: NewRollout,
  planned: Planned,
  matching: number,
  now: Date,
): RolloutEntity {
  const { name, filter, gate, createdBy, start, decisionId } = request;
  const at = now.toISOString();
  const history = [{ at, text: `created by ${createdBy} for ${planned.executions.length} devices` }];
  if (planned.current.length > 0) history.push({ at, text: `${planned.current.length} devices serve it already` });
  let state: RolloutEntity['state'] = start ? 'RUNNING' : 'READY';
  let reason: string | null = null;
  if (planned.executions.length === 0) {
    state = 'FINISHED';
    reason =
      matching === 0
        ? 'NOTHING_TO_DO: no device matches the filter'
        : `ALREADY_CURRENT: all ${matching} devices serve it already`;
    history.push({ at, text: reason });
  }
  return {
    ...{ id, modelId: model.id, state, reason, createdBy, filter, gate, history },
    name: name ?? `${model.name} ${model.version}`,
    decisionId: decisionId ?? null,
    leaseUntil: null,
    createdAt: now,
    endedAt: state === 'FINISHED' ? now : null,
  };
}
