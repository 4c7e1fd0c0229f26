import type { DesiredState } from '@espalier/proto';

/** Sends desired state to a device, retained. The gateway does it; what fails here is published again at reconnect. */
export abstract class DesiredPublisher {
  abstract publish(state: DesiredState): Promise<void>;
  /** Takes a device's retained state away. */
  abstract forget(deviceId: string): Promise<void>;
}
