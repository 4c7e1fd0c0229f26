import { Injectable } from '@nestjs/common';
import { ExecutionSink } from '../devices/execution-sink.js';
import type { BodyOf, MessageHandler } from './message-handler.js';

/** Progress and end of an update; the rollouts domain takes it. */
@Injectable()
export class ExecutionHandler implements MessageHandler<'execution'> {
  readonly kind = 'execution';
  constructor(private readonly sink: ExecutionSink) {}

  apply(deviceId: string, message: BodyOf<'execution'>): Promise<void> {
    return this.sink.record(deviceId, message);
  }
}
