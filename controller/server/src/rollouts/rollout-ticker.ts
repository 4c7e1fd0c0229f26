import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { EventBus } from '../common/events.js';
import { Periodic } from '../common/periodic.js';
import { DeviceService } from '../devices/device.service.js';
import { MeasurementService } from '../devices/measurement.service.js';
import type { DeviceLatency } from '../devices/summarize.js';
import { nextTick } from './next-tick.js';
import { OfferService } from './offer.service.js';
import { type RolloutRows, readTickInput } from './read-tick-input.js';
import type { ExecutionEntity, RolloutEntity } from './rollout.entity.js';
import { RolloutRepository } from './rollout.repository.js';
import type { TickLimits } from './rollout.types.js';
import { StepExecutors } from './step-executors.js';

const TICK_MS = 1000;
const LEASE_MS = 30_000;
/** Rounds of one tick: each sees what the one before did. */
const ROUNDS_MAX = 12;

export const ROLLOUT_LIMITS: TickLimits = {
  inFlightMax: 50,
  silenceMs: 15 * 60_000,
  offlineMs: 24 * 3_600_000,
  blockedMs: 45_000,
  unmeasuredMs: 30 * 60_000,
  untrustedMs: 60_000,
};

/** Scenario whose figures compare between variants: one request at a time. */
export const GATE_SCENARIO = 'single-stream';

/** Moves rollouts on: reads one, asks nextTick, does what it says, until it says nothing more. */
@Injectable()
export class RolloutTicker implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(RolloutTicker.name);
  readonly #timer = new Periodic(
    TICK_MS,
    (signal) => this.tickAll(signal),
    (error) => this.#logger.error(error),
  );

  constructor(
    private readonly rollouts: RolloutRepository,
    private readonly executors: StepExecutors,
    private readonly offers: OfferService,
    private readonly devices: DeviceService,
    private readonly measurements: MeasurementService,
    private readonly clock: Clock,
    private readonly bus: EventBus,
    private readonly events: DomainEvents,
  ) {}

  onApplicationBootstrap(): void {
    for (const type of ['measurement', 'online', 'removed'] as const) this.events.on(type, () => this.wake());
    this.#timer.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#timer.stop();
  }

  wake(): void {
    this.#timer.wake();
  }

  async tickAll(signal: AbortSignal): Promise<void> {
    for (const execution of await this.rollouts.unsettled()) {
      await this.offers.settle(execution);
      await this.rollouts.settle(execution.id);
    }
    for (const rollout of await this.rollouts.live()) {
      signal.throwIfAborted();
      await this.tick(rollout.id);
    }
  }

  /** One tick of one rollout, if this controller gets its lease. */
  async tick(id: string): Promise<void> {
    if (!(await this.rollouts.lease(id, this.clock.now(), LEASE_MS))) return;
    try {
      for (let round = 0; round < ROUNDS_MAX && (await this.#round(id)); round++);
    } finally {
      await this.rollouts.release(id);
    }
  }

  /** @returns whether there may be more to do at once */
  async #round(id: string): Promise<boolean> {
    const rollout = await this.rollouts.find(id);
    if (!rollout) return false;
    const rows = await this.read(rollout);
    const steps = nextTick(readTickInput(rows, ROLLOUT_LIMITS), this.clock.now().getTime());
    let changed = false;
    for (const step of steps) changed = (await this.executors.run(rows, step)) || changed;
    if (changed) this.bus.emit('rollout', id);
    const acted = steps.some((step) => step.kind !== 'recordGates');
    if (acted) this.events.emit('rollout', { rolloutId: id });
    return acted;
  }

  async read(rollout: RolloutEntity): Promise<RolloutRows> {
    const [groups, executions, devices] = [
      await this.rollouts.groups([rollout.id]),
      await this.rollouts.executions([rollout.id]),
      await this.devices.find(''),
    ];
    const latencies = await this.#latencies(executions.filter((one) => one.state === 'SUCCEEDED'));
    return { rollout, groups, executions, latencies, devices: new Map(devices.map((device) => [device.id, device])) };
  }

  /** Of the new artifacts since they were dispatched, of the ones before whenever. An artifact may have served earlier. */
  async #latencies(executions: readonly ExecutionEntity[]): Promise<DeviceLatency[]> {
    if (executions.length === 0) return [];
    const deviceIds = executions.map((one) => one.deviceId);
    const firstMs = Math.min(...executions.map((one) => one.dispatchedAt?.getTime() ?? 0));
    const query = { deviceIds, scenario: GATE_SCENARIO };
    const since = await this.measurements.summary({ ...query, since: new Date(firstMs) });
    const ever = await this.measurements.summary(query);
    const isNew = ({ deviceId, digest }: DeviceLatency): boolean =>
      executions.some((one) => one.deviceId === deviceId && one.digest === digest);
    return [...since.filter(isNew), ...ever.filter((latency) => !isNew(latency))];
  }
}
