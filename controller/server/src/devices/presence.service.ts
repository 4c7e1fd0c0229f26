import type { ErrorBody, Facts } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { EventBus } from '../common/events.js';
import { ProfileCatalog } from '../profiles/profile-catalog.js';
import { DesiredService } from './desired.service.js';
import { DeviceRepository } from './device.repository.js';

export interface ServingReport {
  readonly digest: string | null;
  readonly previousDigest: string | null;
  readonly model: string | null;
  readonly healthy: boolean;
  readonly endpoint: string | null;
  readonly error: ErrorBody | null;
  readonly at: string;
}

/** What devices say about themselves: that they are there, what they are, what they serve. All idempotent. */
@Injectable()
export class PresenceService {
  constructor(
    private readonly devices: DeviceRepository,
    private readonly desired: DesiredService,
    private readonly profiles: ProfileCatalog,
    private readonly events: EventBus,
    private readonly domain: DomainEvents,
    private readonly clock: Clock,
  ) {}

  /** Any message or call is a sign of life. */
  async seen(deviceId: string): Promise<void> {
    const device = await this.devices.find(deviceId);
    if (!device) return;
    await this.devices.update(deviceId, { lastSeenAt: this.clock.now(), online: true });
    if (!device.online) this.#changed(deviceId, 'online');
  }

  /** An old session's last will says nothing about a newer one: a device that reconnected is online. */
  async status(deviceId: string, online: boolean, sessionId: string, bootId: string | null): Promise<void> {
    const device = await this.devices.find(deviceId);
    if (!device || (!online && device.sessionId !== null && device.sessionId !== sessionId)) return;
    await this.devices.update(deviceId, { online, sessionId, bootId, lastSeenAt: this.clock.now() });
    if (device.online !== online) this.#changed(deviceId, online ? 'online' : 'offline');
  }

  async facts(deviceId: string, facts: Facts): Promise<void> {
    const device = await this.devices.find(deviceId);
    if (!device) return;
    const match = this.profiles.match(facts);
    await this.devices.update(deviceId, { facts, profile: match?.profile ?? null, matched: match?.matched ?? [] });
    this.events.emit('device', deviceId);
    if (device.profile === (match?.profile ?? null)) return;
    await this.desired.refresh(deviceId);
    this.domain.emit('profile', { deviceId });
  }

  async serving(deviceId: string, report: ServingReport): Promise<void> {
    const device = await this.devices.find(deviceId);
    const servingAt = new Date(report.at);
    if (!device || (device.servingAt && device.servingAt > servingAt)) return;
    const { digest: servingDigest, previousDigest, model: servingModel, healthy, endpoint, error } = report;
    await this.devices.update(deviceId, {
      servingDigest,
      previousDigest,
      servingModel,
      healthy,
      endpoint,
      error,
      servingAt,
    });
    this.events.emit('device', deviceId);
    this.domain.emit('serving', { deviceId, digest: servingDigest });
  }

  /** Devices that said nothing for so long are offline, whatever their session says. */
  async expire(limit: Date): Promise<void> {
    for (const deviceId of await this.devices.silentSince(limit)) this.#changed(deviceId, 'offline');
  }

  #changed(deviceId: string, what: 'online' | 'offline'): void {
    this.events.emit('device', deviceId);
    this.domain.emit(what, { deviceId });
  }
}
