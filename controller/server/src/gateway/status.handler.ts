import { Injectable } from '@nestjs/common';
import { PresenceService } from '../devices/presence.service.js';
import type { BodyOf, MessageHandler } from './message-handler.js';

/** Presence, also as the broker's last will [MQTT 3.1.1, 3.1.2.5]. */
@Injectable()
export class StatusHandler implements MessageHandler<'status'> {
  readonly kind = 'status';
  constructor(private readonly presence: PresenceService) {}

  apply(deviceId: string, { online, sessionId, bootId }: BodyOf<'status'>): Promise<void> {
    return this.presence.status(deviceId, online, sessionId, bootId);
  }
}
