/** The MQTT session: presence, desired state, reports and their acknowledgement [MQTT 3.1.1]. */
import { randomUUID } from 'node:crypto';
import { AckMessage, topics } from '@espalier/proto';
import mqtt, { type MqttClient } from 'mqtt';
import { type BackoffLimits, fullJitterMs, nextAttempt, sleep } from '../common/backoff.js';
import { parseJson } from '../common/json.js';
import type { Log } from '../common/log.js';
import { AGENT_VERSION } from '../version.js';
import type { Identity } from './identity.js';
import type { Outbox, OutboxEntry } from './outbox.js';

const BACKOFF: BackoffLimits = { baseMs: 1000, capMs: 60_000 };
/** A session that lasted this long was a good one: the next failure starts the backoff anew. */
const STEADY_MS = 30_000;
const CONNECT_MS = 15_000;
/** A report without an acknowledgement for so long is sent again: the broker had it, the controller may not. */
const RESEND_MS = 60_000;

export interface SessionParts {
  readonly identity: () => Identity;
  readonly outbox: Outbox;
  readonly bootId: string | null;
  readonly onDesired: (document: Uint8Array) => void;
  readonly onConnected: () => void;
  readonly log: Log;
  readonly random: () => number;
}

export class Session {
  #client: MqttClient | null = null;
  readonly #sessionId = randomUUID();

  constructor(private readonly parts: SessionParts) {
    parts.outbox.onAdded = (entry) => this.#send(entry);
  }

  get connected(): boolean {
    return this.#client?.connected ?? false;
  }

  /** Holds a session, again and again, until the signal. */
  async hold(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; ) {
      const startedMs = performance.now();
      try {
        await this.#once(signal);
      } catch (error) {
        this.parts.log.warn({ error: (error as Error).message }, 'the MQTT session ended');
      }
      if (signal.aborted) return;
      attempt = nextAttempt(attempt, performance.now() - startedMs, STEADY_MS);
      await sleep(fullJitterMs(attempt, BACKOFF, this.parts.random), signal).catch(() => undefined);
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { deviceId, mqttUrl, keyPem, certificatePem, caPem } = this.parts.identity();
    const client = mqtt.connect(mqttUrl, {
      ...{ clientId: deviceId, username: deviceId, clean: false, protocolVersion: 4, keepalive: 30 },
      ...{ key: keyPem, cert: certificatePem, ca: caPem, rejectUnauthorized: true },
      ...{ reconnectPeriod: 0, connectTimeout: CONNECT_MS },
      will: { topic: topics.up(deviceId, 'status'), payload: Buffer.from(this.#status(false)), qos: 1, retain: false },
    });
    this.#client = client;
    const ended = new Promise<void>((resolve, reject) => {
      client.once('close', resolve);
      client.on('error', reject);
    });
    const resend = this.#resendEvery(RESEND_MS);
    const stop = (): void => void client.end(false);
    signal.addEventListener('abort', stop, { once: true });
    client.on(
      'connect',
      () =>
        void this.#greet(client, deviceId).catch((error: Error) =>
          client.end(true, () => this.parts.log.warn({ error: error.message }, 'subscribing failed')),
        ),
    );
    client.on('message', (topic, payload) => this.#receive(deviceId, topic, payload));
    try {
      await ended;
    } finally {
      signal.removeEventListener('abort', stop);
      clearInterval(resend);
      this.#client = null;
      client.end(true);
    }
  }

  async #greet(client: MqttClient, deviceId: string): Promise<void> {
    await client.subscribeAsync({ [topics.desired(deviceId)]: { qos: 1 }, [topics.ack(deviceId)]: { qos: 1 } });
    await client.publishAsync(topics.up(deviceId, 'status'), this.#status(true), { qos: 1 });
    this.parts.log.info({ deviceId }, 'connected to the controller');
    this.parts.onConnected();
    for (const entry of this.parts.outbox.pending()) this.#send(entry);
  }

  #resendEvery(periodMs: number): NodeJS.Timeout {
    let before = new Set<string>();
    const timer = setInterval(() => {
      const pending = this.parts.outbox.pending();
      for (const entry of pending) if (before.has(entry.id)) this.#send(entry);
      before = new Set(pending.map(({ id }) => id));
    }, periodMs);
    return timer.unref();
  }

  /** Presence is not kept in the outbox: an old one would say something false. */
  #status(online: boolean): string {
    const body = {
      online,
      bootId: this.parts.bootId,
      sessionId: this.#sessionId,
      agentVersion: AGENT_VERSION,
      at: online ? new Date().toISOString() : null,
    };
    return JSON.stringify({ version: 1, id: randomUUID(), kind: 'status', body });
  }

  #send({ kind, text }: OutboxEntry): void {
    const client = this.#client;
    if (!client?.connected) return;
    client.publish(topics.up(this.parts.identity().deviceId, kind), text, { qos: 1 });
  }

  #receive(deviceId: string, topic: string, payload: Uint8Array): void {
    if (topic === topics.desired(deviceId)) this.parts.onDesired(payload);
    if (topic !== topics.ack(deviceId)) return;
    const ack = AckMessage.safeParse(parseJson(payload));
    if (ack.success) this.parts.outbox.acknowledge(ack.data.ids);
  }
}
