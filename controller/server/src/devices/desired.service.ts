import { canonicalDigest, type DesiredState, type SamplingOrder, type Target, type TimingOrder } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DesiredRepository, type Wanted } from './desired.repository.js';
import { DesiredPublisher } from './desired-publisher.js';

/** What each device is to serve: stored first, then published. The database is the truth, the broker a copy. */
@Injectable()
export class DesiredService {
  constructor(
    private readonly repository: DesiredRepository,
    private readonly publisher: DesiredPublisher,
    private readonly clock: Clock,
  ) {}

  /** null: serve what you have. */
  async setTarget(deviceId: string, target: Target | null): Promise<void> {
    await this.#change(deviceId, () => ({ target }));
  }

  /** Asks the device to end an execution. It stays asked until {@link clearCancel}. */
  async cancel(deviceId: string, executionId: string): Promise<void> {
    await this.#change(deviceId, ({ cancel, target }) => ({
      cancel: [...new Set([...cancel, executionId])],
      target: target?.executionId === executionId ? null : target,
    }));
  }

  async clearCancel(deviceId: string, executionId: string): Promise<void> {
    await this.#change(deviceId, ({ cancel }) =>
      cancel.includes(executionId) ? { cancel: cancel.filter((id) => id !== executionId) } : null,
    );
  }

  /** Networks that the device is to time; null: none. */
  async setTiming(deviceId: string, timing: TimingOrder | null): Promise<void> {
    await this.#change(deviceId, (now) => (now.timing?.request.id === timing?.request.id ? null : { timing }));
  }

  /** Inputs that the device may keep for labelling; null: none. */
  async setSampling(deviceId: string, sampling: SamplingOrder | null): Promise<void> {
    const digestOf = (order: SamplingOrder | null): string => canonicalDigest(order?.request ?? null);
    await this.#change(deviceId, (now) => (digestOf(now.sampling) === digestOf(sampling) ? null : { sampling }));
  }

  /** The document as the device gets it. Revision 0 when nothing was ever wanted of it. */
  async current(deviceId: string): Promise<DesiredState> {
    return this.repository.document(deviceId, this.clock.now());
  }

  /** Publishes the state again as a new revision, because its profile part changed. */
  async refresh(deviceId: string): Promise<void> {
    await this.#change(deviceId, () => ({}));
  }

  /** Publishes every device's state: at start and after the broker came back, for brokers keep retained messages in memory. */
  async republishAll(signal?: AbortSignal): Promise<number> {
    let count = 0;
    for (const deviceId of await this.repository.deviceIds()) {
      signal?.throwIfAborted();
      await this.publisher.publish(await this.current(deviceId));
      count++;
    }
    return count;
  }

  async #change(deviceId: string, change: Change): Promise<void> {
    if (await this.repository.change(deviceId, this.clock.now(), change)) {
      await this.publisher.publish(await this.current(deviceId));
    }
  }
}

/** From what is wanted now to what changes in it; null: nothing. */
export type Change = (now: Wanted) => Partial<Wanted> | null;
