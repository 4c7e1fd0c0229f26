import { Injectable } from '@nestjs/common';
import { PresenceService } from '../devices/presence.service.js';
import type { BodyOf, MessageHandler } from './message-handler.js';

/** Facts that changed; the profile is matched again. */
@Injectable()
export class FactsHandler implements MessageHandler<'facts'> {
  readonly kind = 'facts';
  constructor(private readonly presence: PresenceService) {}

  apply(deviceId: string, facts: BodyOf<'facts'>): Promise<void> {
    return this.presence.facts(deviceId, facts);
  }
}
