import type { QualitySketch } from '@espalier/proto';
import type { EntityManager } from 'typeorm';

/** Where what classifiers say goes: a domain above devices keeps it and holds it against the evaluation. */
export abstract class QualitySink {
  /** Inside the transaction that notes the message. */
  abstract record(
    deviceId: string,
    window: { readonly digest: string; readonly endedAt: string; readonly quality: QualitySketch },
    manager: EntityManager,
  ): Promise<void>;
  /** Drops what is older than is kept. */
  abstract forgetOld(): Promise<void>;
}
