import type { ErrorBody, Facts } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { NotFound } from '../common/errors.js';
import { EventBus } from '../common/events.js';
import { DesiredPublisher } from './desired-publisher.js';
import type { DeviceEntity } from './device.entity.js';
import { DeviceRepository } from './device.repository.js';
import { matchesFilter, parseDeviceFilter } from './device-filter.js';

/** A device as other domains see it. */
export interface DeviceRecord {
  readonly id: string;
  readonly name: string;
  readonly profile: string | null;
  readonly matched: readonly string[];
  readonly facts: Facts | null;
  readonly servingDigest: string | null;
  readonly previousDigest: string | null;
  readonly servingModel: string | null;
  readonly healthy: boolean;
  readonly online: boolean;
  readonly endpoint: string | null;
  readonly error: ErrorBody | null;
  readonly lastSeenAt: Date | null;
  readonly enrolledAt: Date;
}

/** The fleet: who is in it. What devices say goes through {@link PresenceService} and the gateway's handlers. */
@Injectable()
export class DeviceService {
  constructor(
    private readonly devices: DeviceRepository,
    private readonly publisher: DesiredPublisher,
    private readonly events: EventBus,
    private readonly domain: DomainEvents,
    private readonly clock: Clock,
  ) {}

  /** Devices that match a filter bar's text (empty: all), by name. @throws ESP_FILTER_INVALID */
  async find(filter: string): Promise<DeviceRecord[]> {
    const wanted = parseDeviceFilter(filter);
    return (await this.devices.list()).filter((device) => matchesFilter(device, wanted)).map(toRecord);
  }

  /** @throws ESP_NOT_FOUND also for a removed device */
  async get(id: string): Promise<DeviceRecord> {
    const device = await this.devices.find(id);
    if (!device) throw NotFound({ what: 'device', id });
    return toRecord(device);
  }

  async isEnrolled(id: string): Promise<boolean> {
    return (await this.devices.find(id)) !== null;
  }

  /** From now on its certificate opens nothing; what it measured stays. @throws ESP_NOT_FOUND */
  async remove(id: string): Promise<void> {
    if (!(await this.devices.remove(id, this.clock.now()))) throw NotFound({ what: 'device', id });
    await this.publisher.forget(id);
    this.events.emit('device', id);
    this.domain.emit('removed', { deviceId: id });
  }
}

function toRecord(device: DeviceEntity): DeviceRecord {
  const { id, name, profile, matched, facts, servingDigest, previousDigest, servingModel } = device;
  const { healthy, online, endpoint, error, lastSeenAt, enrolledAt } = device;
  return {
    ...{ id, name, profile, matched, facts, servingDigest, previousDigest, servingModel },
    ...{ healthy, online, endpoint, error, lastSeenAt, enrolledAt },
  };
}
