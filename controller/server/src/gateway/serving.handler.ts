import { Injectable } from '@nestjs/common';
import { PresenceService } from '../devices/presence.service.js';
import type { BodyOf, MessageHandler } from './message-handler.js';

/** What a device serves now. */
@Injectable()
export class ServingHandler implements MessageHandler<'serving'> {
  readonly kind = 'serving';
  constructor(private readonly presence: PresenceService) {}

  apply(deviceId: string, report: BodyOf<'serving'>): Promise<void> {
    return this.presence.serving(deviceId, report);
  }
}
