import type { ExecutionMessage } from '@espalier/proto';

/** Where devices' reports about executions go; the rollouts domain takes them. */
export abstract class ExecutionSink {
  /**
   * Must be idempotent (a message may come again after a kill between storing and acknowledging) and ignore a
   * `sequence` that is not newer.
   */
  abstract record(deviceId: string, message: ExecutionMessage): Promise<void>;
}
