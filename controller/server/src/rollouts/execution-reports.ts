import type { ExecutionMessage } from '@espalier/proto';
import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { EventBus } from '../common/events.js';
import { ExecutionSink } from '../devices/execution-sink.js';
import type { ExecutionEntity } from './rollout.entity.js';
import { type ExecutionChange, RolloutRepository } from './rollout.repository.js';
import { RolloutTicker } from './rollout-ticker.js';

/** A late report still counts after a timeout: what the device serves is the truth. */
const OPEN: ExecutionEntity['state'][] = ['QUEUED', 'IN_PROGRESS', 'TIMED_OUT'];

/** Takes what devices report about their executions. Once, in order, and only from the device it is about. */
@Injectable()
export class ExecutionReports extends ExecutionSink {
  readonly #logger = new Logger(ExecutionReports.name);

  constructor(
    private readonly rollouts: RolloutRepository,
    private readonly ticker: RolloutTicker,
    private readonly clock: Clock,
    private readonly bus: EventBus,
  ) {
    super();
  }

  async record(deviceId: string, message: ExecutionMessage): Promise<void> {
    const execution = await this.rollouts.execution(message.executionId);
    if (!execution || execution.deviceId !== deviceId) {
      this.#logger.warn(`${deviceId} reports an execution that is not its own: ${message.executionId}`);
      return;
    }
    const { state, step, progress, error, sequence } = message;
    const settled = state === 'IN_PROGRESS' ? {} : { settled: false };
    const change = { state, step, progress, error, updatedAt: this.clock.now(), ...settled } as ExecutionChange;
    if (!(await this.rollouts.report(execution.id, sequence, OPEN, change))) return;
    this.bus.emit('rollout', execution.rolloutId);
    this.bus.emit('device', deviceId);
    if (state !== 'IN_PROGRESS') this.ticker.wake();
  }
}
