import { errorBody } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { ExecutionStopped } from '../common/errors.js';
import { newId } from '../common/ids.js';
import { VariantRepository } from '../variants/variant.repository.js';
import { OfferService } from './offer.service.js';
import type { ExecutionEntity, RolloutEntity } from './rollout.entity.js';
import { RolloutRepository } from './rollout.repository.js';

/** Tries of one device in one rollout. */
const ATTEMPTS_MAX = 10;

/** Brings executions back: to what the device served before, or into the queue for another try. */
@Injectable()
export class RollbackService {
  constructor(
    private readonly rollouts: RolloutRepository,
    private readonly variants: VariantRepository,
    private readonly offers: OfferService,
    private readonly clock: Clock,
  ) {}

  /**
   * Sets the target of every device that switched, or may be about to, to what it served before. An offline device
   * finds it when it is back: desired state is retained. What was only queued is canceled.
   */
  async begin(rollout: RolloutEntity, reason: string): Promise<void> {
    const now = this.clock.now();
    await this.rollouts.cancelQueued(rollout.id, errorBody(ExecutionStopped({ reason })), now);
    const executions = await this.rollouts.executions([rollout.id]);
    const moved = executions.filter(
      (one) => one.direction === 'out' && ['SUCCEEDED', 'IN_PROGRESS'].includes(one.state),
    );
    for (const execution of moved) {
      if (execution.state === 'IN_PROGRESS') await this.offers.cancel(execution);
      const variant = execution.previousDigest
        ? await this.variants.byDigest(execution.previousDigest, execution.profile)
        : null;
      if (!variant) {
        await this.rollouts.note(rollout.id, now, `${execution.deviceName} has nothing known to go back to`);
        continue;
      }
      const back: ExecutionEntity = {
        ...execution,
        ...{ id: newId('exe', 12), direction: 'back', state: 'IN_PROGRESS', step: null, progress: null, sequence: -1 },
        ...{ variantId: variant.id, digest: variant.digest, previousDigest: execution.digest, attempt: 1, error: null },
        ...{ skipped: false, settled: false, dispatchedAt: now, updatedAt: now },
      };
      await this.rollouts.insertExecutions([back]);
      await this.offers.offer(back);
    }
  }

  /**
   * Before a paused rollout goes on: in its current group, devices that failed or timed out get a new execution (a
   * device does one id once), and soak and gates start afresh.
   */
  async retryFailed(rollout: RolloutEntity): Promise<void> {
    const group = (await this.rollouts.groups([rollout.id])).find((one) => one.state !== 'FINISHED');
    if (!group) return;
    const executions = await this.rollouts.executions([rollout.id]);
    const again = executions.filter(
      (one) => one.group === group.index && ['FAILED', 'TIMED_OUT'].includes(one.state) && one.attempt < ATTEMPTS_MAX,
    );
    const fresh = again.map(
      (one): ExecutionEntity => ({
        ...one,
        ...{ id: newId('exe', 12), state: 'QUEUED', step: null, progress: null, sequence: -1, error: null },
        ...{ settled: false, dispatchedAt: null, updatedAt: this.clock.now() },
      }),
    );
    for (const one of again) await this.offers.settle(one);
    await this.rollouts.replaceExecutions(
      again.map((one) => one.id),
      fresh,
    );
    const state = group.startedAt ? ('RUNNING' as const) : group.state;
    await this.rollouts.updateGroup(rollout.id, group.index, { state, soakUntil: null, blockedSince: null });
  }
}
