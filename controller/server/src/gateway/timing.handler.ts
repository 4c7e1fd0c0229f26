import { Injectable } from '@nestjs/common';
import { TimingSink } from '../devices/timing-sink.js';
import type { BodyOf, MessageHandler } from './message-handler.js';

/** Times of networks that a device was asked for; the timing domain takes them. */
@Injectable()
export class TimingHandler implements MessageHandler<'timing'> {
  readonly kind = 'timing';
  constructor(private readonly sink: TimingSink) {}

  apply(deviceId: string, message: BodyOf<'timing'>): Promise<void> {
    return this.sink.answered(deviceId, message);
  }
}
