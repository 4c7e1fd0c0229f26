import type { TimingMessage } from '@espalier/proto';

/** Where devices' answers to timing orders go. Must be idempotent. */
export abstract class TimingSink {
  abstract answered(deviceId: string, message: TimingMessage): Promise<void>;
}
