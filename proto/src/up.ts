/** What a device sends, and how it is acknowledged. */
import { z } from 'zod';
import { Facts } from './facts.js';
import { ExecutionMessage, MeasurementMessage, ServingMessage, StatusMessage } from './messages.js';
import { TimingMessage } from './timing.js';

const envelope = <K extends string, B extends z.ZodType>(kind: K, body: B) =>
  z.object({ version: z.literal(1), id: z.string().min(8).max(64), kind: z.literal(kind), body });

/**
 * What a device sends, each under its id: the controller takes an id once, whatever the broker delivers
 * [MQTT 3.1.1, 4.3.2], and acknowledges it on `down/ack`; only then may the outbox forget it.
 */
export const UpMessage = z.discriminatedUnion('kind', [
  envelope('facts', Facts),
  envelope('status', StatusMessage),
  envelope('execution', ExecutionMessage),
  envelope('serving', ServingMessage),
  envelope('measurement', MeasurementMessage),
  envelope('timing', TimingMessage),
]);
export type UpMessage = z.infer<typeof UpMessage>;
export type UpKind = UpMessage['kind'];

/** Ids of up messages that are stored: the device forgets them. */
export const AckMessage = z.object({ version: z.literal(1), ids: z.array(z.string()).min(1).max(500) });
export type AckMessage = z.infer<typeof AckMessage>;
