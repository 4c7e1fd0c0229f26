import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { DomainEvents } from '../common/domain-events.js';
import { EventBus } from '../common/events.js';
import { DeviceEntity } from '../devices/device.entity.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { QualitySink } from '../devices/quality-sink.js';
import type { BodyOf, MessageHandler } from './message-handler.js';

/** Latency of one measuring window. A window counts once, however often it arrives. */
@Injectable()
export class MeasurementHandler implements MessageHandler<'measurement'> {
  readonly kind = 'measurement';
  constructor(
    private readonly measurements: MeasurementService,
    private readonly quality: QualitySink,
    private readonly domain: DomainEvents,
    private readonly events: EventBus,
  ) {}

  async store(deviceId: string, message: BodyOf<'measurement'>, manager: EntityManager): Promise<void> {
    const { quality, ...window } = message;
    const device = await manager.findOneBy(DeviceEntity, { id: deviceId });
    await this.measurements.record(deviceId, device?.profile ?? null, window, manager);
    if (quality) await this.quality.record(deviceId, { ...window, quality }, manager);
  }

  async apply(deviceId: string, { digest }: BodyOf<'measurement'>): Promise<void> {
    this.events.emit('device', deviceId);
    this.domain.emit('measurement', { deviceId, digest });
  }
}
