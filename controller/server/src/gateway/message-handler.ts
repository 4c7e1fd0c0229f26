import type { UpKind, UpMessage } from '@espalier/proto';
import type { EntityManager } from 'typeorm';

export type BodyOf<K extends UpKind> = Extract<UpMessage, { kind: K }>['body'];

/** Takes one kind of message. Transport and envelope are behind it. */
export interface MessageHandler<K extends UpKind = UpKind> {
  readonly kind: K;
  /** Stores what must be stored exactly once, in the transaction that notes the message's id. */
  store?(deviceId: string, body: BodyOf<K>, manager: EntityManager): Promise<void>;
  /** Everything else; runs again when a message comes again [MQTT 3.1.1, 4.3.2], so it is idempotent. */
  apply(deviceId: string, body: BodyOf<K>): Promise<void>;
}
