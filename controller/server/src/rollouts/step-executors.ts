import { errorBody } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DeviceStayedOffline, ExecutionStopped, ExecutionTimedOut } from '../common/errors.js';
import { OfferService } from './offer.service.js';
import type { RolloutRows } from './read-tick-input.js';
import type { ExecutionEntity, RolloutEntity } from './rollout.entity.js';
import { RolloutRepository } from './rollout.repository.js';
import type { Executors, Step } from './rollout.types.js';

const OPEN: ExecutionEntity['state'][] = ['QUEUED', 'IN_PROGRESS'];

/** Does what a tick decided, step by step. Every change is conditional, so a step done twice changes nothing. */
@Injectable()
export class StepExecutors {
  constructor(
    private readonly rollouts: RolloutRepository,
    private readonly offers: OfferService,
    private readonly clock: Clock,
  ) {}

  /** @returns whether anything that watchers see has changed */
  async run(rows: RolloutRows, step: Step): Promise<boolean> {
    if (step.kind === 'recordGates') return this.#recordGates(rows, step);
    const execute = this.#executors[step.kind] as (rows: RolloutRows, step: Step) => Promise<void>;
    await execute(rows, step);
    return true;
  }

  readonly #executors: Omit<Executors<RolloutRows>, 'recordGates'> = {
    markRemoved: async (_rows, { executionIds }) => {
      await this.#end(executionIds, OPEN, { state: 'REMOVED', settled: true });
    },
    timeOut: async ({ rollout }, { executionIds, silenceMs }) => {
      const error = errorBody(ExecutionTimedOut({ silentS: Math.round(silenceMs / 1000) }));
      await this.#end(executionIds, ['IN_PROGRESS'], { state: 'TIMED_OUT', error });
      await this.#note(rollout, `${executionIds.length} devices timed out`);
    },
    skipOffline: async ({ rollout }, { executionIds, offlineMs }) => {
      const error = errorBody(DeviceStayedOffline({ hours: Math.round(offlineMs / 360_000) / 10 }));
      await this.#end(executionIds, ['QUEUED'], { state: 'CANCELED', skipped: true, settled: true, error });
      await this.#note(rollout, `${executionIds.length} devices were offline too long and are skipped`);
    },
    startGroup: async ({ rollout, groups }, { index, total }) => {
      await this.rollouts.updateGroup(rollout.id, index, { state: 'RUNNING', total, startedAt: this.clock.now() });
      await this.#note(rollout, `group ${groups[index]!.plan.name} starts with ${total} devices`);
    },
    dispatch: (rows, { executionIds }) => this.#dispatch(rows, executionIds),
    startSoak: async ({ rollout, groups }, { index, untilMs }) => {
      await this.rollouts.updateGroup(rollout.id, index, { state: 'SOAKING', soakUntil: new Date(untilMs) });
      await this.#note(rollout, `group ${groups[index]!.plan.name} reached its success threshold and soaks`);
    },
    markBlocked: async ({ rollout }, { index, sinceMs }) => {
      const blockedSince = sinceMs === null ? null : new Date(sinceMs);
      await this.rollouts.updateGroup(rollout.id, index, { blockedSince });
      await this.#note(rollout, sinceMs === null ? 'the blocking gate recovered' : 'a gate blocks');
    },
    finishGroup: async ({ rollout, groups }, { index, reason }) => {
      await this.rollouts.updateGroup(rollout.id, index, { state: 'FINISHED', blockedSince: null });
      await this.#note(rollout, `group ${groups[index]!.plan.name} finished: ${reason}`);
    },
    failGroup: async ({ rollout }, { index }) => {
      await this.rollouts.updateGroup(rollout.id, index, { state: 'ERROR' });
    },
    abort: async ({ rollout }, { reason }) => {
      if (!(await this.rollouts.move(rollout.id, ['RUNNING'], { state: 'STOPPING', reason }))) return;
      await this.rollouts.cancelQueued(rollout.id, errorBody(ExecutionStopped({ reason })), this.clock.now());
      await this.#note(rollout, reason);
    },
    pause: ({ rollout }, { reason }) => this.#move(rollout, ['RUNNING'], { state: 'PAUSED', reason }),
    finish: ({ rollout }, { reason }) => this.#finish(rollout, ['RUNNING'], 'FINISHED', reason),
    endStopped: ({ rollout }, { reason }) =>
      this.#finish(rollout, ['RUNNING', 'STOPPING'], 'STOPPED', reason ?? rollout.reason),
    endRolledBack: async ({ rollout }, { reason }) => {
      const why = rollout.reason ? `${rollout.reason}; ${reason}` : reason;
      await this.#finish(rollout, ['ROLLING_BACK'], 'ROLLED_BACK', why);
    },
  };

  async #recordGates({ rollout, groups }: RolloutRows, step: Extract<Step, { kind: 'recordGates' }>): Promise<boolean> {
    const known = groups.find((group) => group.index === step.index)?.gates;
    if (JSON.stringify(known) === JSON.stringify(step.gates)) return false;
    await this.rollouts.updateGroup(rollout.id, step.index, { gates: step.gates as never });
    return true;
  }

  /** Sets targets first and notes it after: a kill between them offers the same execution again. */
  async #dispatch({ rollout, executions }: RolloutRows, ids: readonly string[]): Promise<void> {
    const offered = executions.filter((execution) => ids.includes(execution.id));
    const others = await this.rollouts.otherInProgress(
      offered.map((execution) => execution.deviceId),
      rollout.id,
    );
    const error = errorBody(ExecutionStopped({ reason: `rollout ${rollout.name} replaced it on this device` }));
    await this.#end(
      others.map((other) => other.id),
      ['IN_PROGRESS'],
      { state: 'CANCELED', settled: true, error },
    );
    for (const execution of offered) {
      const now = this.clock.now();
      await this.offers.offer(execution);
      const attempt = execution.attempt + 1;
      await this.rollouts.updateExecutions([execution.id], ['QUEUED'], {
        ...{ state: 'IN_PROGRESS', attempt, dispatchedAt: now, updatedAt: now },
      });
    }
    await this.#note(rollout, `offered to ${offered.map((execution) => execution.deviceName).join(', ')}`);
  }

  async #end(
    ids: readonly string[],
    from: ExecutionEntity['state'][],
    change: Partial<ExecutionEntity>,
  ): Promise<void> {
    await this.rollouts.updateExecutions(ids, from, { ...change, updatedAt: this.clock.now() } as never);
  }

  async #move(rollout: RolloutEntity, from: RolloutEntity['state'][], change: Partial<RolloutEntity>): Promise<void> {
    if (await this.rollouts.move(rollout.id, from, change))
      await this.#note(rollout, `${change.state}: ${change.reason}`);
  }

  async #finish(
    rollout: RolloutEntity,
    from: RolloutEntity['state'][],
    state: RolloutEntity['state'],
    reason: string | null,
  ): Promise<void> {
    await this.#move(rollout, from, { state, reason, endedAt: this.clock.now() });
  }

  #note(rollout: RolloutEntity, text: string): Promise<void> {
    return this.rollouts.note(rollout.id, this.clock.now(), text);
  }
}
