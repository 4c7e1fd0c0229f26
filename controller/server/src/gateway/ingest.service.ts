import { UpMessage } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { DataSource, LessThan } from 'typeorm';
import { Clock } from '../common/clock.js';
import { PayloadInvalid } from '../common/errors.js';
import { DeviceService } from '../devices/device.service.js';
import { InboxEntity } from '../devices/inbox.entity.js';
import { PresenceService } from '../devices/presence.service.js';
import { ExecutionHandler } from './execution.handler.js';
import { FactsHandler } from './facts.handler.js';
import { MeasurementHandler } from './measurement.handler.js';
import type { MessageHandler } from './message-handler.js';
import { ServingHandler } from './serving.handler.js';
import { StatusHandler } from './status.handler.js';
import { TimingHandler } from './timing.handler.js';

/** Longer than any device keeps a message that it could send again. */
const REMEMBERED_MS = 30 * 24 * 3_600_000;

/** One way in for what devices report, whichever transport brought it. */
@Injectable()
export class IngestService {
  readonly #handlers: ReadonlyMap<string, MessageHandler>;

  constructor(
    private readonly db: DataSource,
    private readonly devices: DeviceService,
    private readonly presence: PresenceService,
    private readonly clock: Clock,
    status: StatusHandler,
    facts: FactsHandler,
    serving: ServingHandler,
    execution: ExecutionHandler,
    measurement: MeasurementHandler,
    timing: TimingHandler,
  ) {
    const handlers = [status, facts, serving, execution, measurement, timing] as unknown as MessageHandler[];
    this.#handlers = new Map(handlers.map((handler) => [handler.kind, handler]));
  }

  /**
   * Stores a message and acts on it; returns its id, which may now be acknowledged. null: the device is not known.
   * @throws ESP_PAYLOAD_INVALID naming the field
   */
  async take(deviceId: string, payload: Uint8Array): Promise<string | null> {
    const message = parse(deviceId, payload);
    if (!(await this.devices.isEnrolled(deviceId))) return null;
    if (message.kind !== 'status') await this.presence.seen(deviceId);
    const handler = this.#handlers.get(message.kind)!;
    await this.db.transaction(async (manager) => {
      const noted = await manager
        .createQueryBuilder()
        .insert()
        .into(InboxEntity)
        .values({ deviceId, messageId: message.id, at: this.clock.now() })
        .orIgnore()
        .returning('"messageId"')
        .execute();
      if ((noted.raw as unknown[]).length === 1) await handler.store?.(deviceId, message.body as never, manager);
    });
    await handler.apply(deviceId, message.body as never);
    return message.id;
  }

  async forgetOld(): Promise<void> {
    await this.db.manager.delete(InboxEntity, { at: LessThan(new Date(this.clock.now().getTime() - REMEMBERED_MS)) });
  }
}

function parse(deviceId: string, payload: Uint8Array): UpMessage {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch (error) {
    throw PayloadInvalid({ deviceId, field: 'message', reason: 'it is not JSON' }, { cause: error });
  }
  const parsed = UpMessage.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw PayloadInvalid({ deviceId, field: issue?.path.join('.') || 'message', reason: issue?.message ?? 'unknown' });
}
